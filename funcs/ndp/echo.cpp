// Answers with its input.

#include <faasm/faasm.h>
#include <ganglion/manifest.h>

GANGLION_OBJECT_KEY(none)

FAASM_MAIN_FUNC()
{
    faasm::setStringOutput(faasm::getStringInput(""));
    return 0;
}
