/* Everything that has Faasm's names. Objects are in ganglion/ndp.h, or ndpapi.h as its near-data fork calls it. */
#ifndef FAASM_FAASM_H
#define FAASM_FAASM_H

#include "core.h"
#include "input.h"
#include "state.h"

#endif
