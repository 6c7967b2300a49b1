// The first process of a pod: it holds the pod's namespaces while containers come and go.
#include <signal.h>

int main(void) {
    // With a shared PID namespace it adopts orphans; where nobody wants to know how they ended, the kernel buries them.
    signal(SIGCHLD, SIG_IGN);
    // Blocked and waited for: to PID 1 a stop signal without a handler would be lost.
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, 0);
    int signal;
    sigwait(&stop, &signal);
    return 0;
}
