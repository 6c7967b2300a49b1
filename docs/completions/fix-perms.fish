# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_fix_perms_global_optspecs
    string join \n owner= mode= dir-mode= file-mode= fs-group= read-only private links default-acl= create policy= exclude= no-default-excludes one-file-system max-depth= hard-links= on-denied= no-symlinks follow-root allow-root config= verify sample= dry-run threads= output= as= log-format= log-level= h/help V/version
end

function __fish_fix_perms_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_fix_perms_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_fix_perms_using_subcommand
    set -l cmd (__fish_fix_perms_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c fix-perms -n "__fish_fix_perms_needs_command" -l owner -d 'Wanted owner: UID, UID:GID or :GID; names are taken from /etc/passwd and /etc/group' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l mode -d 'Wanted mode, as chmod reads it: 0640, or `u=rwX,g=rX,o=`' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l dir-mode -d 'Wanted mode of directories, instead of --mode' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l file-mode -d 'Wanted mode of everything that is not a directory, instead of --mode' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l fs-group -d 'Do what the kubelet does for fsGroup, bit for bit, instead of --owner and modes' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l default-acl -d 'Wanted default ACL of directories, such as `u:1000:rwx,g::rx`' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l policy -d 'always looks at everything; root-match trusts a root that is right; stamp trusts a finished run' -r -f -a "always\t'Never'
root-match\t'When the root is right, as with the kubelet\'s `OnRootMismatch`'
stamp\t'When the root is right and says that a run has finished'"
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l exclude -d 'Leave out names like this, or paths below PATH if there is a slash in it; repeat for more; in the variable, one a line' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l max-depth -d 'Look at most DEPTH levels below PATH; 0 is PATH alone' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l hard-links -d 'Files with names outside PATH: leave them alone, or allow their change (leave, allow)' -r -f -a "leave\t'They are left alone and reported'
allow\t'They are changed'"
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l on-denied -d 'How a refused or ignored change counts: fail, warn, or accessible (no failure if the wanted owner can already read and write)' -r -f -a "fail\t'A failure'
warn\t'Worth a warning'
accessible\t'A failure, unless the wanted owner can already read and write'"
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l config -d 'Read more trees, each with its own settings, from this YAML file' -r -F
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l sample -d 'With --verify: look at each PATH and at COUNT entries below it, drawn at random' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l threads -d 'Look at COUNT entries at once [default: the CPU quota; 16 on network file systems]' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l output -d 'json prints one object on stdout for each difference, and a summary object at the end' -r -f -a "text\t'A line for each difference, where nothing is changed'
json\t'Objects'"
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l as -d 'Become COMMAND as this user and group: UID:GID, without any capability or other group' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l log-format -d 'How log lines are written to stderr: auto (text on a terminal, else JSON lines), text or json' -r -f -a "auto\t'Text on a terminal, otherwise JSON lines'
text\t'Lines for people'
json\t'One JSON object per line'"
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l log-level -d 'The least important lines that are still written: error, warn, info, debug or trace' -r
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l read-only -d 'With --fs-group: set the modes that the kubelet sets on a volume that is mounted read-only'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l private -d 'Never give group and others a permission on entries that give them none (for example keys)'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l links -d 'Change the owner of symbolic links too; they are never followed'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l create -d 'Make PATH and its missing parents, with the wanted owner and mode'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l no-default-excludes -d 'Do not leave out `.snapshot` and `lost+found` at the top of PATH'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l one-file-system -d 'Do not look into what is mounted below PATH'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l no-symlinks -d 'Refuse a PATH that contains a symbolic link'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l follow-root -d 'Where PATH is a symbolic link, use the directory or file that it leads to'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l allow-root -d 'Accept / as a PATH'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l verify -d 'Change nothing; exit with 0 if everything is right, otherwise with 1 and the first differences'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -l dry-run -d 'Change nothing; print the changes that a run would make'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -s V -l version -d 'Print version'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -a "check" -d 'Say everything that is wrong with a configuration file, and exit with 0 or 78'
complete -c fix-perms -n "__fish_fix_perms_needs_command" -a "schema" -d 'Print the JSON Schema of the configuration file'
complete -c fix-perms -n "__fish_fix_perms_using_subcommand check" -l config -d 'The same as FILE' -r -F
complete -c fix-perms -n "__fish_fix_perms_using_subcommand check" -l no-files -d 'Do not look whether the files that it names can be read: for CI, where secrets are not mounted'
complete -c fix-perms -n "__fish_fix_perms_using_subcommand check" -s h -l help -d 'Print help'
complete -c fix-perms -n "__fish_fix_perms_using_subcommand schema" -s h -l help -d 'Print help'
