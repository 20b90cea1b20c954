/* Runs a function that was written with FAASM_MAIN_FUNC: PROGRAM [INPUT]. Without INPUT it is read from standard input, or is the value of
 * GANGLION_INPUT. The output goes to standard output, behind what the function printed, or to the file GANGLION_OUTPUT; what the function
 * returns is the exit code. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int faasm_main(void);
__attribute__((weak)) int _faasm_zygote(void);

/* Writes the output to the file of that name; to standard output where it is NULL. */
static bool write_output(const char* path)
{
    const struct host_bytes output = host_output();
    FILE* const file = path == NULL ? stdout : fopen(path, "wb");
    if (file == NULL || (output.length != 0 && fwrite(output.bytes, 1, output.length, file) != output.length)) {
        return false;
    }
    return fflush(file) == 0;
}

int main(int argc, char** argv)
{
    if (argc > 2) {
        fprintf(stderr, "usage: %s [INPUT]\n", argv[0]);
        return 2;
    }
    if (_faasm_zygote != NULL && _faasm_zygote() != 0) {
        fprintf(stderr, "the preparation failed\n");
        return 1;
    }
    if (argc == 2) {
        host_set_input((struct host_bytes){(unsigned char*)argv[1], strlen(argv[1])});
    } else if (getenv("GANGLION_INPUT") == NULL && !isatty(STDIN_FILENO)) {
        host_set_input(host_read_file("/dev/stdin"));
    }
    const int code = faasm_main();
    fflush(stdout);
    return write_output(getenv("GANGLION_OUTPUT")) ? code : 1;
}
