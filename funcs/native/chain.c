/* Calls that a call makes: processes of their own, which begin with this one's memory or are another program. */
#include "../include/faasm/host_interface.h"

#include "host.h"

#include <errno.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
    pid_t process; /* 0 when it has ended */
    FILE* output;
    int code;
};

static struct call* calls;
static unsigned int calls_count;

/* A new process, and the file that its output will be read from. The child gets 0. */
static pid_t begin(void)
{
    struct call* const more = realloc(calls, (calls_count + 1) * sizeof *calls);
    FILE* const output = tmpfile();
    fflush(NULL);
    const pid_t process = more == NULL || output == NULL ? -1 : fork();
    if (process < 0) {
        host_die("cannot begin", "a chained call");
    }
    calls = more;
    calls[calls_count++] = (struct call){process, output, 1};
    return process;
}

unsigned int __faasm_chain_ptr(int (*function)(void), const unsigned char* input, long length)
{
    if (begin() == 0) {
        FILE* const file = calls[calls_count - 1].output;
        host_set_input((struct host_bytes){(unsigned char*)input, (size_t)length});
        __faasm_write_output(NULL, 0);
        const int code = function();
        const struct host_bytes output = host_output();
        const bool written = fwrite(output.bytes, 1, output.length, file) == output.length && fflush(NULL) == 0;
        _exit(written ? code : 1);
    }
    return calls_count;
}

/* The program of that name: in GANGLION_FUNCTIONS, or beside this one. */
static void find_program(char path[host_path_bytes], const char* name)
{
    char own[host_path_bytes] = "";
    const char* folder = getenv("GANGLION_FUNCTIONS");
    if (folder == NULL && readlink("/proc/self/exe", own, sizeof own - 1) > 0) {
        folder = dirname(own);
    }
    if (snprintf(path, host_path_bytes, "%s/%s", folder == NULL ? "." : folder, name) >= host_path_bytes) {
        errno = ENAMETOOLONG;
        host_die("cannot call", name);
    }
}

/* Runs a program with this as standard input, and the call's file for its output. It does not come back. */
static _Noreturn void become(const char* name, const unsigned char* input, long length)
{
    char path[host_path_bytes];
    FILE* const given = tmpfile();
    char output[32];
    find_program(path, name);
    snprintf(output, sizeof output, "/dev/fd/%d", fileno(calls[calls_count - 1].output));
    const bool copied = given != NULL && (length == 0 || fwrite(input, 1, (size_t)length, given) == (size_t)length);
    if (!copied || fflush(given) != 0 || lseek(fileno(given), 0, SEEK_SET) != 0 || dup2(fileno(given), STDIN_FILENO) < 0 ||
        setenv("GANGLION_OUTPUT", output, 1) != 0) {
        host_die("cannot give its input to", path);
    }
    unsetenv("GANGLION_INPUT");
    execl(path, name, (char*)NULL);
    fprintf(stderr, "cannot run %s: %s\n", path, strerror(errno));
    _exit(1);
}

unsigned int __faasm_chain_name(const char* name, const unsigned char* input, long length)
{
    if (begin() == 0) {
        become(name, input, length);
    }
    return calls_count;
}

/* The call of that id when it has ended; NULL where there is none. */
static struct call* ended(unsigned int id)
{
    if (id == 0 || id > calls_count) {
        return NULL;
    }
    struct call* const call = &calls[id - 1];
    int status = 0;
    if (call->process != 0 && waitpid(call->process, &status, 0) == call->process) {
        call->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    call->process = 0;
    return call;
}

int __faasm_await_call(unsigned int id)
{
    const struct call* const call = ended(id);
    return call == NULL ? 1 : call->code;
}

long __ganglion_call_output_size(unsigned int id)
{
    const struct call* const call = ended(id);
    if (call == NULL || fseek(call->output, 0, SEEK_END) != 0) {
        return 0;
    }
    return ftell(call->output);
}

int __faasm_await_call_output(unsigned int id, unsigned char* buffer, long length)
{
    const struct call* const call = ended(id);
    if (call == NULL) {
        return 1;
    }
    rewind(call->output);
    const size_t read = fread(buffer, 1, (size_t)length, call->output);
    (void)read; /* the output may well be shorter */
    return call->code;
}
