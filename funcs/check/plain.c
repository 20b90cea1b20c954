/* The same in C, where it differs. */

#include <faasm/faasm.h>
#include <faasm/migrate.h>
#include <faasm/shared_mem.h>
#include <ganglion/manifest.h>
#include <ndpapi.h>

#include "check.h"

GANGLION_OBJECT_KEY(none)

static const char key[] = "check/plain";
static int sum = 0;

static int32_t none(void)
{
    return 3;
}

static int32_t one(int32_t first)
{
    sum += first;
    return 4;
}

FAASM_MAIN_FUNC()
{
    const uint8_t bytes[] = "first line\nsecond line\n";
    char line[32] = "";
    const uint32_t key_length = sizeof key - 1;
    check("put", __faasmndp_put(key, key_length, bytes, sizeof bytes - 1) == 0);
    FILE* const file = faasmndp_fopen(key, "r");
    check("an object as a file", file != NULL && fgets(line, sizeof line, file) != NULL && strcmp(line, "first line\n") == 0);
    if (file != NULL) {
        fclose(file);
    }
    check("no such object as a file", faasmndp_fopen("check/none", "r") == NULL);
    check("no argument", __faasmndp_storageCallAndAwait(key, key_length, none) == 3);
    check("one argument", __faasmndp_storageCallAndAwait1(key, key_length, one, 5) == 4 && sum == 5);
    return checked();
}
