// What one would write without Ganglion: CONF POOL NAMESPACE ANSWERS OBJECTS OBJECT_BYTES IN_FLIGHT SCRIPT. Reads a job in each
// line, `WAY KERNEL MILLISECONDS`, and does it with IN_FLIGHT threads that take turns at the objects: `native` reads an object
// through librados and runs the kernel here, `lua` has the OSD run SCRIPT beside it. Every answer is compared with the file
// ANSWERS/KERNEL/KEY. Answers a job with one line of JSON.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <rados/librados.h>

#include "scan.hpp"
#include "wordcount.hpp"

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<char>;

static std::uint64_t ns_since(Clock::time_point begin)
{
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

static int checked(int code, const std::string& what)
{
    if (code < 0) {
        throw std::runtime_error(what + ": " + std::strerror(-code));
    }
    return code;
}

static Bytes file(const std::string& path)
{
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

static std::string key(std::size_t object)
{
    char name[32];
    std::snprintf(name, sizeof name, "text-%03zu", object);
    return name;
}

struct Setup {
    rados_ioctx_t pool;
    std::string answers;
    std::size_t objects;
    std::size_t object_bytes;
    std::size_t in_flight;
    Bytes script;
};

struct Loaded {
    std::vector<std::uint64_t> latencies_ns;
    std::uint64_t wrong = 0;
    std::string error;
};

/// One thread: an object after another until the time is over.
class Loop {
public:
    Loop(const Setup& setup, const std::string& way, const std::string& kernel)
        : setup_(setup)
        , in_osd_(way == "lua")
        , kernel_(kernel)
        , buffer_(setup.object_bytes)
    {
    }

    Loaded run(Clock::time_point end, std::atomic<std::size_t>& next, const std::vector<Bytes>& answers)
    {
        Loaded loaded;
        try {
            while (Clock::now() < end) {
                const std::size_t object = next++ % setup_.objects;
                const auto begin = Clock::now();
                const Bytes& answer = in_osd_ ? in_osd(key(object)) : here(key(object));
                loaded.latencies_ns.push_back(ns_since(begin));
                loaded.wrong += answer != answers[object];
            }
        } catch (const std::exception& error) {
            loaded.error = error.what();
        }
        return loaded;
    }

private:
    const Bytes& here(const std::string& object)
    {
        buffer_.resize(setup_.object_bytes);
        const int read = checked(rados_read(setup_.pool, object.c_str(), buffer_.data(), buffer_.size(), 0), object);
        buffer_.resize(static_cast<std::size_t>(read));
        const auto* const bytes = reinterpret_cast<const std::uint8_t*>(buffer_.data());
        if (kernel_ == "wordcount") {
            answer_ = ganglion::kernels::wordcount(bytes, buffer_.size());
        } else if (kernel_ == "scan") {
            const std::string count = std::to_string(ganglion::kernels::count_byte(bytes, buffer_.size(), 'e'));
            answer_.assign(count.begin(), count.end());
        } else {
            return buffer_;
        }
        return answer_;
    }

    const Bytes& in_osd(const std::string& object)
    {
        answer_.resize(setup_.object_bytes);
        const int length = rados_exec(setup_.pool, object.c_str(), "lua", "eval_json", setup_.script.data(),
                                      setup_.script.size(), answer_.data(), answer_.size());
        answer_.resize(static_cast<std::size_t>(checked(length, "cls_lua")));
        return answer_;
    }

    const Setup& setup_;
    bool in_osd_;
    std::string kernel_;
    Bytes buffer_;
    Bytes answer_;
};

static std::string load(const Setup& setup, const std::string& job, std::map<std::string, std::vector<Bytes>>& known,
                        std::atomic<std::size_t>& next)
{
    std::istringstream words(job);
    std::string way;
    std::string kernel;
    std::uint64_t ms = 0;
    words >> way >> kernel >> ms;
    std::vector<Bytes>& answers = known[kernel];
    for (std::size_t object = answers.size(); object < setup.objects; ++object) {
        answers.push_back(file(setup.answers + "/" + kernel + "/" + key(object)));
    }
    std::vector<Loaded> all(setup.in_flight);
    std::vector<std::thread> threads;
    const auto begin = Clock::now();
    for (Loaded& loaded : all) {
        threads.emplace_back([&] {
            loaded = Loop(setup, way, kernel).run(begin + std::chrono::milliseconds(ms), next, answers);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const std::uint64_t wall_ns = ns_since(begin);
    std::uint64_t wrong = 0;
    std::string latencies;
    for (const Loaded& loaded : all) {
        if (!loaded.error.empty()) {
            return "{\"Err\":\"" + loaded.error + "\"}";
        }
        wrong += loaded.wrong;
        for (const std::uint64_t ns : loaded.latencies_ns) {
            latencies += (latencies.empty() ? "" : ",") + std::to_string(ns);
        }
    }
    return "{\"Ok\":{\"wall_ns\":" + std::to_string(wall_ns) + ",\"latencies_ns\":[" + latencies +
           "],\"wrong\":" + std::to_string(wrong) + "}}";
}

int main(int argc, char** argv)
{
    if (argc != 9) {
        return 2;
    }
    try {
        rados_t cluster;
        checked(rados_create(&cluster, "admin"), "librados");
        checked(rados_conf_read_file(cluster, argv[1]), argv[1]);
        checked(rados_connect(cluster), "connecting");
        Setup setup{};
        checked(rados_ioctx_create(cluster, argv[2], &setup.pool), argv[2]);
        rados_ioctx_set_namespace(setup.pool, argv[3]);
        setup.answers = argv[4];
        setup.objects = std::strtoull(argv[5], nullptr, 10);
        setup.object_bytes = std::strtoull(argv[6], nullptr, 10);
        setup.in_flight = std::strtoull(argv[7], nullptr, 10);
        setup.script = file(argv[8]);
        std::map<std::string, std::vector<Bytes>> known;
        std::atomic<std::size_t> next{0};
        std::string job;
        while (std::getline(std::cin, job)) {
            std::cout << load(setup, job, known, next) << std::endl;
        }
        rados_ioctx_destroy(setup.pool);
        rados_shutdown(cluster);
        return 0;
    } catch (const std::exception& error) {
        std::cout << "{\"Err\":\"" << error.what() << "\"}" << std::endl;
        return 1;
    }
}
