// State, chaining and the rest: what the host does not have yet. Both generations of names are used as Faasm's readmes show them.

#include <cstring>
#include <vector>

#include <faasm/array.h>
#include <faasm/faasm.h>
#include <faasm/files.h>
#include <faasm/migrate.h>
#include <faasm/shared_mem.h>

#include "check.h"

FAASM_FUNC(partOne, 1)
{
    const std::string input = faasm::getStringInput("none");
    faasm::setStringOutput("one got " + input);
    return faasmGetCurrentIdx() == 1 ? 11 : 1;
}

FAASM_FUNC(partTwo, 2)
{
    FAASM_CRITICAL_LOCAL(faasm::writeIntState("counter", faasm::readIntState("counter") + 1));
    return 0;
}

static int part_by_pointer()
{
    faasmLockStateWrite("counter");
    faasm::writeIntState("counter", faasm::readIntState("counter") + 10);
    faasmPushState("counter");
    faasmUnlockStateWrite("counter");
    return 0;
}

static const uint8_t* bytes_of(const char* text)
{
    return reinterpret_cast<const uint8_t*>(text);
}

static void check_chaining()
{
    char output[8] = "";
    char* whole = nullptr;
    int length = 0;
    faasm::writeIntState("counter", 0);
    const unsigned int first = faasmChainThisInput(1, bytes_of("this"), 4);
    check("the code of a part", faasmAwaitCall(first) == 11);
    check("its output, cut", faasmAwaitCallOutput(first, BYTES(output), 7) == 11 && std::strcmp(output, "one got") == 0);
    check("its output, whole", faasmAwaitCallOutput(first, &whole, &length) == 11 && std::string(whole, length) == "one got this");
    std::free(whole);
    std::vector<unsigned int> calls = {faasmChainThis(2), faasmChain(part_by_pointer, nullptr, 0), faasmChainBatch(partTwo, "x", 1)};
    for (const unsigned int call : calls) {
        check("a call ends with 0", faasmAwaitCall(call) == 0);
    }
    faasmPullState("counter", sizeof(int));
    check("three calls counted", faasm::readIntState("counter") == 12);
    check("a function that is not there", faasmAwaitCall(faasmChainFunction("none-of-this-name")) != 0);
    const unsigned int named = faasmChainNamed("named", bytes_of("21 words"), 8);
    check("a function by name", faasmAwaitCallOutput(named, &whole, &length) == 0 && std::strstr(whole, "put: yes\n") != nullptr);
    std::free(whole);
    check("by its old name", faasmAwaitCall(faasmChainFunctionInput("named", bytes_of("21 words"), 8)) == 0);
    check("the main part", faasmGetCurrentIdx() == 0);
    check("a part as a function", partTwo() == 0);
}

static void check_state()
{
    uint8_t buffer[8] = {};
    check("no value has no size", faasmReadStateSize("absent") == 0);
    faasmWriteState("value", bytes_of("abcdef"), 6);
    check("its size", faasmReadStateSize("value") == 6);
    check("the value", faasmReadState("value", buffer, 6) == 6 && std::memcmp(buffer, "abcdef", 6) == 0);
    faasmWriteStateOffset("value", 6, 2, bytes_of("XY"), 2);
    faasmReadStateOffset("value", 6, 1, buffer, 4);
    check("a part", std::memcmp(buffer, "bXYe", 4) == 0);
    uint8_t* const pointer = faasmReadStatePtr("value", 6);
    pointer[0] = 'A';
    faasmFlagStateDirty("value", 6);
    faasmPushState("value");
    check("through a pointer", faasmReadState("value", buffer, 1) == 6 && buffer[0] == 'A' && faasmReadStatePtr("value", 6) == pointer);
    check("through a pointer to a part", *faasmReadStateOffsetPtr("value", 6, 5, 1) == 'f');
    faasmFlagStateOffsetDirty("value", 6, 0, 1);
    faasmPushStatePartial("value");
    faasmLockStateRead("value");
    faasmUnlockStateRead("value");
    faasmAppendState("list", bytes_of("one"), 3);
    faasmAppendState("list", bytes_of("two"), 3);
    faasmReadAppendedState("list", buffer, 6, 2);
    check("a list", std::memcmp(buffer, "onetwo", 6) == 0);
    faasmClearAppendedState("list");
    buffer[0] = '-';
    faasmReadAppendedState("list", buffer, 6, 1);
    check("an empty list", buffer[0] == '-');
    faasmWriteState("old", bytes_of("xyz"), 3, false);
    faasmReadState("old", buffer, 3, true);
    check("the older calls", std::memcmp(buffer, "xyz", 3) == 0);
    check("from a file", faasmWriteStateFromFile("file", "state/value") == 6 && faasmReadStateSize("file") == 6);
    check("a file's length", faasm::getFileLength("state/value") == 6);
}

static void check_array()
{
    faasm::AsyncArray<double> array("array", 4);
    unsigned int mask[8] = {};
    array.zero();
    array[2] = 1.5;
    array.push();
    array.pull();
    check("an array", array.data()[2] == 1.5 && array.data()[3] == 0);
    faasm::maskDouble(mask, 2);
    faasmWriteState("mask", BYTES(mask), sizeof mask);
    faasmPushStatePartialMask("array", "mask");
    check("a mask", mask[3] == 0 && mask[4] == BIT_MASK_32 && mask[5] == BIT_MASK_32);
}

static void check_rest()
{
    int shared = 1;
    FAASM_REDUCE(shared, FAASM_TYPE_INT, FAASM_OP_SUM);
    FAASM_ATOMIC_INCR(shared);
    FAASM_ATOMIC_INCR_BY(shared, 2);
    check("a shared number", shared == 4);
    __faasm_migrate_point([](int) {}, 1);
    faasmBacktrace(1);
    check("no flag", getConfFlag("GANGLION_NO_SUCH_FLAG") == 0);
    char* const names[] = {faasmGetPythonUser(), faasmGetPythonFunc(), faasmGetPythonEntry()};
    for (char* const name : names) {
        check("no Python", *name == '\0');
        std::free(name);
    }
}

FAASM_MAIN_FUNC()
{
    if (faasm::getStringInput("")[0] == 's') { // "snapshot": where there is one, what follows it runs twice
        faasmSnapshot("here");
        faasmRestore("here");
        faasmCreateSnap("here");
        faasmRestoreSnap("here");
    }
    check_state();
    check_chaining();
    check_array();
    check_rest();
    return checked();
}
