"""The two programs side by side: each logs in by AppRole and keeps a token, or a secret of KV, in a file."""

import os
import subprocess

from store import bao_binary



class Agent:
    """A program that keeps a file"""

    def __init__(self, directory, role_id, secret_id):
        self.directory = directory
        for name, content in (("role-id", role_id), ("secret-id", secret_id)):
            with open(f"{directory}/{name}", "w", encoding="ascii") as file:
                file.write(content)
        os.mkdir(f"{directory}/out", 0o700)

    def start(self, port, what, every):
        """`what` is token or kv, which is looked at so often; the path of the file, and the process"""
        self.configure(port, what, every)
        with open(f"{self.directory}/log", "w", encoding="utf-8") as log:
            environment = {"PATH": os.environ["PATH"], "HOME": self.directory}
            process = subprocess.Popen(self.command(), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return f"{self.directory}/out/{what}", process


class Ours(Agent):
    name = "token-refresher"

    def __init__(self, binary, *arguments):
        super().__init__(*arguments)
        self.binary = binary

    def configure(self, port, what, every):
        kind, value = ("vault-login", "token") if what == "token" else ("vault-kv", "password")
        path = "" if what == "token" else "path: secret/app, "
        login = f"{{ role-id: {{ file: {self.directory}/role-id }}, secret-id: {{ file: {self.directory}/secret-id }} }}"
        with open(f"{self.directory}/secrets.yaml", "w", encoding="ascii") as file:
            file.write(
                f"""secrets:
  - name: {what}
    source:
      {kind}: {{ url: "http://127.0.0.1:{port}", {path}login: {{ approle: {login} }} }}
    refresh-every: {every}
    outputs:
      - {{ file: "{self.directory}/out/{what}", value: {value} }}
"""
            )

    def command(self):
        return [self.binary, "--config", f"{self.directory}/secrets.yaml", "--health-addr", "127.0.0.1:0"]


class Bao(Agent):
    name = "bao agent"
    binary = bao_binary()

    def configure(self, port, what, every):
        directory = self.directory
        sink = f'sink "file" {{ config = {{ path = "{directory}/out/token" mode = 256 }} }}' if what == "token" else ""
        template = (
            f"""template {{
  contents = "{{{{ with secret \\"secret/data/app\\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}"
  destination = "{directory}/out/kv"
  perms = "0400"
}}
template_config {{ static_secret_render_interval = "{every}" }}"""
            if what == "kv"
            else ""
        )
        with open(f"{directory}/agent.hcl", "w", encoding="ascii") as file:
            file.write(
                f"""vault {{ address = "http://127.0.0.1:{port}" }}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{directory}/role-id"
      secret_id_file_path = "{directory}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
  {sink}
}}
{template}
"""
            )

    def command(self):
        return [self.binary, "agent", f"-config={self.directory}/agent.hcl", "-log-level=error"]
