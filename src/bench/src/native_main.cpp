// The kernels on the machine itself: FILE SIZE. Reads a command in each line, `wordcount`, `scan B` or `sum`, and runs that kernel
// on the first SIZE bytes of FILE, which it maps before and unmaps after, as a guest's call does; or, for `resident` and the
// command, on a buffer of this process that it has read them into before. Answers with one line, `CPU_NS WALL_NS LENGTH`, and
// LENGTH bytes of output.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scan.hpp"
#include "sum.hpp"
#include "wordcount.hpp"

static std::uint64_t now_ns(clockid_t clock)
{
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000000 + static_cast<std::uint64_t>(time.tv_nsec);
}

int main(int argc, char** argv)
{
    if (argc != 3) {
        return 2;
    }
    const int file = open(argv[1], O_RDONLY);
    const std::size_t size = std::strtoull(argv[2], nullptr, 10);
    std::string command;
    std::vector<std::uint8_t> resident;
    while (std::getline(std::cin, command)) {
        const std::string prefix = "resident ";
        const bool is_resident = command.compare(0, prefix.size(), prefix) == 0;
        if (is_resident) {
            command.erase(0, prefix.size());
        }
        if (is_resident && resident.empty()) {
            resident.resize(size);
            for (std::size_t at = 0; at < size;) {
                const ssize_t read = pread(file, resident.data() + at, size - at, static_cast<off_t>(at));
                if (read <= 0) {
                    std::perror(argv[1]);
                    return 1;
                }
                at += static_cast<std::size_t>(read);
            }
        }
        const std::uint64_t wall_begin_ns = now_ns(CLOCK_MONOTONIC);
        const std::uint64_t cpu_begin_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        void* mapped = nullptr;
        if (!is_resident) {
            mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
            if (mapped == MAP_FAILED) {
                std::perror(argv[1]);
                return 1;
            }
        }
        const auto* const bytes = is_resident ? resident.data() : static_cast<const std::uint8_t*>(mapped);
        std::vector<char> output;
        if (command == "wordcount") {
            output = ganglion::kernels::wordcount(bytes, size);
        } else {
            const auto wanted = static_cast<std::uint8_t>(command.back());
            const std::string number = std::to_string(command == "sum" ? ganglion::kernels::sum_bytes(bytes, size)
                                                                       : ganglion::kernels::count_byte(bytes, size, wanted));
            output.assign(number.begin(), number.end());
        }
        if (!is_resident) {
            munmap(mapped, size);
        }
        const std::uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_begin_ns;
        const std::uint64_t wall_ns = now_ns(CLOCK_MONOTONIC) - wall_begin_ns;
        std::cout << cpu_ns << ' ' << wall_ns << ' ' << output.size() << '\n';
        std::cout.write(output.data(), static_cast<std::streamsize>(output.size()));
        std::cout.flush();
    }
}
