/* Runs a function of the suite on this machine: PROGRAM RUNS INPUT. Prints the processor time of this thread in each run, in nanoseconds,
 * a line each, and behind them the output of the last. */
#define _GNU_SOURCE

#include "native/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int faasm_main(void);

static long long cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char** argv)
{
    if (argc != 3) {
        return 2;
    }
    for (long run = strtol(argv[1], NULL, 10); run > 0; --run) {
        host_set_input((struct host_bytes){(unsigned char*)argv[2], strlen(argv[2])});
        const long long began_ns = cpu_ns();
        const int code = faasm_main();
        printf("%lld\n", cpu_ns() - began_ns);
        if (code != 0) {
            return 1;
        }
    }
    const struct host_bytes output = host_output();
    return fwrite(output.bytes, 1, output.length, stdout) == output.length ? 0 : 1;
}
