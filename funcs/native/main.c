/* Runs a function that was written with FAASM_MAIN_FUNC: PROGRAM [INPUT]. Without INPUT it is read from standard input, or is the value of
 * GANGLION_INPUT. The output goes to standard output, behind what the function printed, or to the file GANGLION_OUTPUT; what the function
 * returns is the exit code. */
#include "host.h"

#include <stdio.h>
#include <string.h>

int faasm_main(void);

int main(int argc, char** argv)
{
    struct host_bytes argument = {NULL, 0};
    if (argc > 2) {
        fprintf(stderr, "usage: %s [INPUT]\n", argv[0]);
        return 2;
    }
    if (argc == 2) {
        argument = (struct host_bytes){(unsigned char*)argv[1], strlen(argv[1])};
    }
    if (!host_begin(argument)) {
        return 1;
    }
    const int code = faasm_main();
    fflush(stdout);
    return host_end() ? code : 1;
}
