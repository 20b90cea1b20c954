/* What every program of a function does before it and behind it, whatever language it is in. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((weak)) int _faasm_zygote(void);

bool host_begin(struct host_bytes argument)
{
    if (_faasm_zygote != NULL && _faasm_zygote() != 0) {
        fprintf(stderr, "the preparation failed\n");
        return false;
    }
    if (argument.bytes != NULL) {
        host_set_input(argument);
    } else if (getenv("GANGLION_INPUT") == NULL && !isatty(STDIN_FILENO)) {
        host_set_input(host_read_file("/dev/stdin"));
    }
    return true;
}

bool host_end(void)
{
    const struct host_bytes output = host_output();
    const char* const path = getenv("GANGLION_OUTPUT");
    FILE* const file = path == NULL ? stdout : fopen(path, "wb");
    if (file == NULL || (output.length != 0 && fwrite(output.bytes, 1, output.length, file) != output.length)) {
        return false;
    }
    return fflush(file) == 0;
}
