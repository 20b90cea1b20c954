/* The name that Faasm's near-data fork gave these calls. */
#include "ganglion/ndp.h"
