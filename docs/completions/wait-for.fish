# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wait_for_global_optspecs
    string join \n config= timeout= attempt-timeout= interval= stable= any not retry-all run-anyway disabled proxy= output= log-format= log-level= h/help V/version
end

function __fish_wait_for_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wait_for_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wait_for_using_subcommand
    set -l cmd (__fish_wait_for_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wait-for -n "__fish_wait_for_needs_command" -l config -d 'Read targets from this YAML file too' -r -F
complete -c wait-for -n "__fish_wait_for_needs_command" -l timeout -d 'Give up after this long, with exit code 124; 0 waits for ever' -r
complete -c wait-for -n "__fish_wait_for_needs_command" -l attempt-timeout -d 'End one attempt after this long' -r
complete -c wait-for -n "__fish_wait_for_needs_command" -l interval -d 'Always pause this long between attempts, instead of a pace that follows the reason' -r
complete -c wait-for -n "__fish_wait_for_needs_command" -l stable -d 'Ask for this many successes in a row' -r
complete -c wait-for -n "__fish_wait_for_needs_command" -l proxy -d 'HTTP proxy: none, or env for that of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`' -r -f -a "none\t'Every connection is direct'
env\t'From the variables that curl reads too'"
complete -c wait-for -n "__fish_wait_for_needs_command" -l output -d 'json prints one object on stdout at the end; text prints nothing there' -r -f -a "text\t'Nothing'
json\t'One object: targets, state, last reason, attempts, seconds'"
complete -c wait-for -n "__fish_wait_for_needs_command" -l log-format -d 'How log lines are written to stderr: auto (text on a terminal, else JSON lines), text or json' -r -f -a "auto\t'Text on a terminal, otherwise JSON lines'
text\t'Lines for people'
json\t'One JSON object per line'"
complete -c wait-for -n "__fish_wait_for_needs_command" -l log-level -d 'The least important lines that are still written: error, warn, info, debug or trace' -r
complete -c wait-for -n "__fish_wait_for_needs_command" -l any -d 'One ready target is enough'
complete -c wait-for -n "__fish_wait_for_needs_command" -l not -d 'Wait until the targets are proven gone: refused, closed, no such name or file'
complete -c wait-for -n "__fish_wait_for_needs_command" -l retry-all -d 'Keep trying after what will hardly change, such as a wrong certificate or a refused login'
complete -c wait-for -n "__fish_wait_for_needs_command" -l run-anyway -d 'Run COMMAND after a timeout too'
complete -c wait-for -n "__fish_wait_for_needs_command" -l disabled -d 'Skip the waiting, though targets are still read: exit 0, or become COMMAND, at once'
complete -c wait-for -n "__fish_wait_for_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wait-for -n "__fish_wait_for_needs_command" -s V -l version -d 'Print version'
complete -c wait-for -n "__fish_wait_for_needs_command" -a "check" -d 'Say everything that is wrong with a configuration file, and exit with 0 or 78'
complete -c wait-for -n "__fish_wait_for_needs_command" -a "schema" -d 'Print the JSON Schema of the configuration file'
complete -c wait-for -n "__fish_wait_for_using_subcommand check" -l config -d 'The same as FILE' -r -F
complete -c wait-for -n "__fish_wait_for_using_subcommand check" -l no-files -d 'Do not look whether the files that it names can be read: for CI, where secrets are not mounted'
complete -c wait-for -n "__fish_wait_for_using_subcommand check" -s h -l help -d 'Print help'
complete -c wait-for -n "__fish_wait_for_using_subcommand schema" -s h -l help -d 'Print help'
