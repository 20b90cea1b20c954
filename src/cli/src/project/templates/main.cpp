// Counts the lines of an object, where it is. The input is the object's key.

#include <algorithm>
#include <string>

#include <ganglion/ndp.hpp>

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    long lines = 0;
    // Runs beside the object, on this function's own memory: what it changes is there afterwards.
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key); // closed at the end of the block
        if (!object) {
            return 1;
        }
        lines = std::count(object.begin(), object.end(), '\n');
        return 0;
    });
    ganglion::set_output(code == 0 ? std::to_string(lines) + '\n' : "cannot open " + key + '\n');
    return code;
}
