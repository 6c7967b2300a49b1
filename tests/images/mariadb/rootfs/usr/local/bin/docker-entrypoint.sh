#!/bin/sh
# Prepares an empty data directory as MARIADB_… variables say, then becomes the server. Arguments are the server's.
set -eu
data=/var/lib/mysql
scripts=/usr/share/mysql

main() {
    # As PID 1 a shell ignores what it has no trap for; the server has handlers of its own.
    trap 'exit 143' INT TERM
    # `mariadbd` by name, or only its options
    [ "${1:-}" != mariadbd ] && [ "${1:-}" != mysqld ] || shift
    case ${1:--} in
        -*) ;;
        *) exec "$@" ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        # The server gives root up by itself.
        chown -R mysql:mysql "$data" /run/mysqld
        set -- --user=mysql "$@"
    fi
    if [ ! -d "$data/mysql" ]; then
        check_variables
        echo "docker-entrypoint.sh: preparing $data" >&2
        prepare | mariadbd "$@" --bootstrap --log-warnings=0
        echo "docker-entrypoint.sh: prepared" >&2
    fi
    exec mariadbd "$@"
}

check_variables() {
    if [ -n "${MARIADB_RANDOM_ROOT_PASSWORD:-}" ]; then
        MARIADB_ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
        echo "docker-entrypoint.sh: root's password is $MARIADB_ROOT_PASSWORD" >&2
    elif [ -z "${MARIADB_ROOT_PASSWORD:-}${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ]; then
        echo "docker-entrypoint.sh: set MARIADB_ROOT_PASSWORD; or one of MARIADB_RANDOM_ROOT_PASSWORD," \
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD to 1" >&2
        exit 1
    fi
}

# In this mode the server reads statements, each to the end of a line, and listens nowhere.
prepare() {
    echo 'CREATE DATABASE mysql;'
    echo 'USE mysql;'
    # root logs in by password, not by who asks at the socket.
    echo 'SET @auth_root_socket = NULL;'
    cat "$scripts/mysql_system_tables.sql" "$scripts/mysql_performance_tables.sql" "$scripts/mysql_system_tables_data.sql" \
        "$scripts/maria_add_gis_sp_bootstrap.sql" "$scripts/mysql_sys_schema.sql"
    # The scripts make more roots, without a password, for the names of the host that they run on.
    echo "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host != 'localhost';"
    echo "DELETE FROM mysql.proxies_priv WHERE Host != 'localhost';"
    # Accounts count only from here on.
    echo 'FLUSH PRIVILEGES;'
    echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "${MARIADB_ROOT_PASSWORD:-}");"
    echo "CREATE USER root@'%' IDENTIFIED BY $(quoted "${MARIADB_ROOT_PASSWORD:-}");"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    if [ -n "${MARIADB_DATABASE:-}" ]; then
        echo "CREATE DATABASE \`$MARIADB_DATABASE\`;"
    fi
    if [ -n "${MARIADB_USER:-}" ]; then
        echo "CREATE USER $(quoted "$MARIADB_USER")@'%' IDENTIFIED BY $(quoted "${MARIADB_PASSWORD:-}");"
        if [ -n "${MARIADB_DATABASE:-}" ]; then
            echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO $(quoted "$MARIADB_USER")@'%';"
        fi
    fi
}

quoted() {
    printf "'%s'" "$(printf %s "$1" | sed "s/[\\\\']/\\\\&/g")"
}

main "$@"
