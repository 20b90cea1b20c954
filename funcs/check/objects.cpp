// Input, output, the preparation, and every call of ganglion/ndp.hpp, ndpapi.h and faasm/input.h. The input has to be `21 words`.

#include <cstdlib>
#include <vector>

#include <faasm/faasm.h>
#include <faasm/files.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>
#include <ndpapi.h>

#include "check.h"

GANGLION_OBJECT_KEY(none)

static int prepared = 0;
static int seen = 0;

FAASM_ZYGOTE()
{
    prepared += 1;
    return 0;
}

static int32_t look(int32_t first, int32_t second)
{
    seen = first + second;
    return 7;
}

static void check_input()
{
    uint8_t bytes[4] = {};
    const std::string text = faasm::getStringInput("nothing");
    check("the preparation ran once", prepared == 1);
    check("the input's size", faasmGetInputSize() == 8);
    check("its beginning", faasmGetInput(bytes, 2) == 2 && bytes[0] == '2' && bytes[1] == '1' && bytes[2] == 0);
    check("the input as a string", text == "21 words");
    check("the input with any bytes", ganglion::input() == "21 words");
    check("the input as a type", faasm::getTypedInput<char>('x') == '2');
    int* const numbers = faasm::parseStringToIntArray(text.c_str(), 2);
    check("the input as numbers", numbers[0] == 21 && numbers[1] == 0);
    delete[] numbers;
    check("a file that is not there", faasm::readFileToString("/nowhere/at-all").empty());
    ganglion::set_output("what a later output replaces");
}

static void check_objects()
{
    check("put", ganglion::put("check/a", "near data") == 0);
    check("put of nothing", ganglion::put("check/empty", "") == 0);
    check("put without a key", ganglion::put("", "x") == GANGLION_INVALID);
    const auto object = ganglion::Object::open("check/a");
    check("an object is what was put", object && object.text() == "near data" && object.size() == 9 && object[0] == 'n');
    const auto range = ganglion::Object::open("check/a", 5, 100);
    check("a range of it", range && range.text() == "data");
    const auto behind = ganglion::Object::open("check/a", 10, 1);
    check("a range behind its end", behind && behind.empty());
    const auto empty = ganglion::Object::open("check/empty");
    check("an empty object", empty && empty.empty());
    check("no such object", !ganglion::Object::open("check/none"));
    check("a negative offset", !ganglion::Object::open("check/a", -1, 1));
    uint32_t length = 1;
    check("no object has no length", __faasmndp_getMmap("check/none", 10, 0, INT64_MAX, &length) == nullptr && length == 0);
    uint8_t* const bytes = __faasmndp_getMmap("check/a", 7, 0, 4, &length);
    bytes[0] = 'N';
    check("a view is the guest's own", object[0] == 'n' && ganglion::Object::open("check/a")[0] == 'n');
    check("unmap", __faasmndp_unmap(bytes, 4) == 0);
    check("unmap twice", __faasmndp_unmap(bytes, 4) == GANGLION_INVALID);
}

static void check_storage_calls()
{
    std::vector<int> captured = {1, 2, 3};
    const int found = ganglion::on_storage("check/a", [&] {
        const auto object = ganglion::Object::open("check/a");
        captured.push_back(static_cast<int>(object.size()));
        return ganglion::on_storage("check/empty", [&] { return object.text() == "near data" ? 5 : 6; });
    });
    check("a closure beside an object, and one in it", found == 5 && captured == std::vector<int>({1, 2, 3, 9}));
    check("a closure that returns nothing", ganglion::on_storage("check/a", [&] { seen = 1; }) == 0 && seen == 1);
    check("a storage call without a key", ganglion::on_storage("", [] { return 1; }) == GANGLION_INVALID);
    check("two arguments", __faasmndp_storageCallAndAwait2("check/a", 7, look, 20, 1) == 7 && seen == 21);
    const auto untyped = reinterpret_cast<FaasmNdpFuncPtr>(reinterpret_cast<void*>(look));
    check("under the fork's type", __faasmndp_storageCallAndAwait2("check/a", 7, untyped, 2, 3) == 7 && seen == 5);
    check("the fork's closure", faasmndp_storageCallAndAwait("check/a", 7, [] { return ++seen; }) == 6 && seen == 6);
    check("an object that is not there",
          ganglion::on_storage("check/none", [] { return ganglion::Object::open("check/none") ? 1 : 2; }) == 2);
}

FAASM_MAIN_FUNC()
{
    check_input();
    check_objects();
    check_storage_calls();
    return checked();
}
