// Answers with its input.

#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

GANGLION_OBJECT_KEY(none)

FAASM_MAIN_FUNC()
{
    ganglion::set_output(ganglion::input());
    return 0;
}
