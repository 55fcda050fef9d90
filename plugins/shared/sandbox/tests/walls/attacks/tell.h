/* What the attacks in C have in common. argv: VICTIM (a pid), FOLDER (the victim's, with secret.txt, data.txt, a
 * socket "door"), WORK (the own), ABSTRACT (name of a socket), TCP, UDP (ports on 127.0.0.1), OWNER (the pid of who
 * started the keeper), and, when only one attack is wanted, its NAME; "?" tells the names and attacks nothing.
 * Each line of output is a name and "LEAK" or "held". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static pid_t victim, owner;
static const char *wanted;
static char path[6][4096];

static void tell(const char *name, int leaked) {
    printf("%s %s\n", name, leaked ? "LEAK" : "held");
    fflush(stdout);
}

static int is_wanted(const char *name) {
    if (wanted && strcmp(wanted, "?") == 0) tell(name, 0);
    return !wanted || strcmp(wanted, name) == 0;
}

/* The attack succeeded when the call did. */
#define TRY(name, call) do { if (is_wanted(name)) tell(name, (long)(call) >= 0); } while (0)

static int hear(int count, char **values) {
    if (count != 8 && count != 9) return -1;
    victim = atoi(values[1]);
    owner = atoi(values[7]);
    wanted = values[8];
    snprintf(path[0], sizeof path[0], "%s", values[2]);
    snprintf(path[1], sizeof path[1], "%s/secret.txt", values[2]);
    snprintf(path[2], sizeof path[2], "%s", values[3]);
    snprintf(path[3], sizeof path[3], "%s/stolen", values[3]);
    snprintf(path[4], sizeof path[4], "%s/data.txt", values[2]);
    snprintf(path[5], sizeof path[5], "%s/new.txt", values[2]);
    return 0;
}
