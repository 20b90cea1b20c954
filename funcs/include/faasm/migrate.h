/* Points at which a call may go on at another node. */
#ifndef FAASM_MIGRATE_H
#define FAASM_MIGRATE_H

#include "host_interface.h"

typedef void (*FaasmMigrateEntryPoint)(int);

#endif
