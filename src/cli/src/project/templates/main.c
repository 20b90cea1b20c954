// Counts the lines of an object, where it is. The input is the object's key.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <faasm/faasm.h>
#include <ganglion/ndp.h>

static char key[1024];
static uint32_t key_length;
static long lines;

// Runs beside the object, on this function's own memory: what it sets is there afterwards.
static int32_t count_lines(void)
{
    uint32_t length;
    uint8_t* bytes = __faasmndp_getMmap(key, (int32_t)key_length, 0, INT64_MAX, &length);
    if (bytes == NULL) {
        return 1;
    }
    for (uint32_t at = 0; at < length; ++at) {
        lines += bytes[at] == '\n';
    }
    __faasmndp_unmap(bytes, (int32_t)length);
    return 0;
}

FAASM_MAIN_FUNC()
{
    char answer[1100];
    key_length = (uint32_t)faasmGetInput((uint8_t*)key, sizeof key);
    const int code = __faasmndp_storageCallAndAwait(key, key_length, count_lines);
    if (code == 0) {
        snprintf(answer, sizeof answer, "%ld\n", lines);
    } else {
        snprintf(answer, sizeof answer, "cannot open %.*s\n", (int)key_length, key);
    }
    faasmSetOutput(answer, (long)strlen(answer));
    return code;
}
