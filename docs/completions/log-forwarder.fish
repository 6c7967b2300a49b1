# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_log_forwarder_global_optspecs
    string join \n input= output= config= state-dir= dead-letter= max-in-flight= max-line= max-pinned= quiet-period= format= multiline= encoding= pod-name= pod-namespace= node-name= container-name= labels-file= field= log-format= log-level= admin-allow-remote shutdown-timeout= exit-with-file= exit-with-process= health-addr= admin-addr= drain-delay= h/help V/version
end

function __fish_log_forwarder_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_log_forwarder_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_log_forwarder_using_subcommand
    set -l cmd (__fish_log_forwarder_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l input -d 'Follow the files with names like this, such as `/var/log/nginx/*.log`; repeat for more; in the variable, one a line' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l output -d 'Send lines there; repeat for more; in the variable, one a line' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l config -d 'Read inputs and outputs from this YAML file besides; it is read anew when it changes' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l state-dir -d 'Remember here what has been delivered; without it, a restart begins anew' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l dead-letter -d 'Write each line that an output refuses for good to this file, as JSON with the reason' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l max-in-flight -d 'Hold at most so many bytes that are read and not yet delivered, over all outputs' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l max-line -d 'Cut and mark lines that are longer than this' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l max-pinned -d 'Keep at most so many bytes of deleted files from being freed' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l quiet-period -d 'After a stop signal, end once every file has been quiet for this long; a last line without newline waits likewise' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l format -d 'What a line holds: raw (text), json, logfmt, cri, nginx or `regex:PATTERN`, whose groups with names are fields; a line that holds something else is sent as text, and counted' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l multiline -d 'Join the lines of a stack trace: of java, python, go or rust, or each line with those before it up to one that this pattern is found in, such as `^\\d{4}-`' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l encoding -d 'The characters of the files, by a name that web browsers know' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l pod-name -d 'The pod\'s name, as `k8s.pod.name`; from the Downward API' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l pod-namespace -d 'The pod\'s namespace, as `k8s.namespace.name`' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l node-name -d 'The node\'s name, as `k8s.node.name`' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l container-name -d 'The name of the container whose logs these are, as `k8s.container.name`' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l labels-file -d 'The pod\'s labels, as a Downward API volume writes them, each as `k8s.pod.label.NAME`; read at the start, if it is there' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l field -d 'A field for each record; repeat for more; in the variable, one a line' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l log-format -d 'How log lines are written to stderr: auto (text on a terminal, else JSON lines), text or json' -r -f -a "auto\t'Text on a terminal, otherwise JSON lines'
text\t'Lines for people'
json\t'One JSON object per line'"
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l log-level -d 'The least important lines that are still written: error, warn, info, debug or trace' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l shutdown-timeout -d 'After a stop signal, exit with 75 when work is still undelivered after this long' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l exit-with-file -d 'Stop once this file is there: the app\'s last act in a Job without native sidecars' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l exit-with-process -d 'Stop once the process of this name, seen for 100 ms or longer, is gone (needs `shareProcessNamespace`)' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l drain-delay -d 'After a stop signal, go on serving for this long before new work is refused' -r
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -l admin-allow-remote -d 'Let --admin-addr be an address that other pods can reach'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -s V -l version -d 'Print version'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -f -a "probe" -d 'Ask the running helper\'s health listener, and exit with 0 or 1 within a second'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -f -a "drain" -d 'Tell the running helper to become unready and finish what is in flight (needs --admin-addr)'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -f -a "quit" -d 'Tell the running helper to stop as it would at SIGTERM (needs --admin-addr)'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -f -a "check" -d 'Say everything that is wrong with a configuration file, and exit with 0 or 78'
complete -c log-forwarder -n "__fish_log_forwarder_needs_command" -f -a "schema" -d 'Print the JSON Schema of the configuration file'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand probe" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand probe" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand drain" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand drain" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand drain" -s h -l help -d 'Print help'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand quit" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand quit" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand quit" -s h -l help -d 'Print help'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand check" -l config -d 'The same as FILE' -r -F
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand check" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand check" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand check" -l no-files -d 'Do not look whether the files that it names can be read: for CI, where secrets are not mounted'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand check" -s h -l help -d 'Print help'
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand schema" -l health-addr -d 'Serve /livez, /readyz, /startupz and /metrics here: `:PORT` on all addresses, or `IP:PORT`' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand schema" -l admin-addr -d 'Serve POST /drain and POST /quit here, such as `127.0.0.1:9481`; off without it' -r
complete -c log-forwarder -n "__fish_log_forwarder_using_subcommand schema" -s h -l help -d 'Print help'
