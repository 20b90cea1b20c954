// The kernels on the machine itself: FILE SIZE. Reads a command in each line, `wordcount` or `scan B`, and runs that kernel
// on the first SIZE bytes of FILE, which it maps before and unmaps after, as a guest's call does. Answers with one line,
// `CPU_NS WALL_NS LENGTH`, and LENGTH bytes of output.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>

#include "scan.hpp"
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
    while (std::getline(std::cin, command)) {
        const std::uint64_t wall_begin_ns = now_ns(CLOCK_MONOTONIC);
        const std::uint64_t cpu_begin_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
        if (mapped == MAP_FAILED) {
            std::perror(argv[1]);
            return 1;
        }
        const auto* const bytes = static_cast<const std::uint8_t*>(mapped);
        std::vector<char> output;
        if (command == "wordcount") {
            output = ganglion::kernels::wordcount(bytes, size);
        } else {
            const auto wanted = static_cast<std::uint8_t>(command.back());
            const std::string count = std::to_string(ganglion::kernels::count_byte(bytes, size, wanted));
            output.assign(count.begin(), count.end());
        }
        munmap(mapped, size);
        const std::uint64_t cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_begin_ns;
        const std::uint64_t wall_ns = now_ns(CLOCK_MONOTONIC) - wall_begin_ns;
        std::cout << cpu_ns << ' ' << wall_ns << ' ' << output.size() << '\n';
        std::cout.write(output.data(), static_cast<std::streamsize>(output.size()));
        std::cout.flush();
    }
}
