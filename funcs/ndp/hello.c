/* Prints a line and answers with another: the first function to try. */

#include <stdio.h>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>

GANGLION_OBJECT_KEY(none)

static const char answer[] = "Hello Ganglion!";

FAASM_MAIN_FUNC()
{
    printf("Hello from Ganglion\n");
    faasmSetOutput(answer, sizeof answer - 1);
    return 0;
}
