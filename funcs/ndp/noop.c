/* Does nothing: what is measured with it is the call. */

#include <faasm/faasm.h>
#include <ganglion/manifest.h>

GANGLION_OBJECT_KEY(none)

FAASM_MAIN_FUNC()
{
    return 0;
}
