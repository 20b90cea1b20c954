/* All of the calls that have Faasm's names and run here: input, output, main and zygote. State and chaining are not among
 * them. Objects are in ganglion/ndp.h. */
#ifndef FAASM_FAASM_H
#define FAASM_FAASM_H

#include "core.h"
#include "input.h"

#endif
