/* How a function makes one output of several, for jobs over many objects (`ganglion job run --combine`). */
#ifndef GANGLION_COMBINE_H
#define GANGLION_COMBINE_H

#include "../faasm/core.h"

/* Begins the combiner, beside FAASM_MAIN_FUNC: `GANGLION_COMBINE() { ... return 0; }`. Its input is outputs of the function, one
 * behind the other without anything between them, and it sets an output of the same form. A code other than 0 fails the job.
 *
 * It runs wherever outputs meet, on some of them first and on what came of those later, in any order and any grouping: it must be
 * associative and commutative, so that the result is the same. A single output may be left as it is. It may open objects and writes
 * none: nobody knows how often it runs. Each run is in an instance of its own, like a call. */
#define GANGLION_COMBINE()                                                                                                    \
    FAASM_C_LINKAGE __attribute__((used, export_name("ganglion_combine"))) int ganglion_combine(void)

#endif
