/* How variables that several threads write are merged. */
#ifndef FAASM_SHARED_MEM_H
#define FAASM_SHARED_MEM_H

#include "host_interface.h"

#define FAASM_TYPE_RAW 0
#define FAASM_TYPE_BOOL 1
#define FAASM_TYPE_INT 2
#define FAASM_TYPE_LONG 3
#define FAASM_TYPE_FLOAT 4
#define FAASM_TYPE_DOUBLE 5

#define FAASM_OP_OVERWRITE 0
#define FAASM_OP_SUM 1
#define FAASM_OP_PRODUCT 2
#define FAASM_OP_SUBTRACT 3
#define FAASM_OP_MAX 4
#define FAASM_OP_MIN 5

/* From the next batch of threads on, or from the one that runs. */
#define FAASM_REDUCE(variable, type, operation) __faasm_sm_reduce((void*)&(variable), type, operation, 0)
#define FAASM_REDUCE_CURRENT(variable, type, operation) __faasm_sm_reduce((void*)&(variable), type, operation, 1)

/* One call on a node at a time does this. */
#define FAASM_CRITICAL_LOCAL(statement)                                                                                       \
    do {                                                                                                                      \
        __faasm_sm_critical_local();                                                                                          \
        statement;                                                                                                            \
        __faasm_sm_critical_local_end();                                                                                      \
    } while (0)
#define FAASM_ATOMIC_INCR_BY(variable, by) FAASM_CRITICAL_LOCAL((variable) += (by))
#define FAASM_ATOMIC_INCR(variable) FAASM_ATOMIC_INCR_BY(variable, 1)

#endif
