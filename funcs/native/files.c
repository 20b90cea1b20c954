/* Keys, paths and whole files. */
#include "host.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void host_die(const char* sentence, const char* what)
{
    fprintf(stderr, "%s: %s%s%s\n", sentence, what, errno == 0 ? "" : ": ", errno == 0 ? "" : strerror(errno));
    exit(1);
}

/* Whether a part of a key between two '/' can be a file's name. */
static bool is_name(const char* part, size_t length)
{
    return length != 0 && !(length == 1 && part[0] == '.') && !(length == 2 && part[0] == '.' && part[1] == '.');
}

static bool is_key(const char* key, size_t length)
{
    size_t begin = 0;
    if (length == 0 || length > 1024 || memchr(key, '\0', length) != NULL) {
        return false;
    }
    for (size_t at = 0; at <= length; ++at) {
        if (at == length || key[at] == '/') {
            if (!is_name(key + begin, at - begin)) {
                return false;
            }
            begin = at + 1;
        }
    }
    return true;
}

/* The folder that an environment variable names; by default it is called as the variable is, but for its prefix. */
static const char* folder_of(const char* variable)
{
    const char* const folder = getenv(variable);
    if (folder != NULL) {
        return folder;
    }
    return strcmp(variable, "GANGLION_OBJECTS") == 0 ? "objects" : "state";
}

bool host_path(char path[host_path_bytes], const char* variable, const char* key, size_t key_length)
{
    const char* const folder = folder_of(variable);
    size_t at = strlen(folder);
    if (!is_key(key, key_length) || at + 1 + 3 * key_length >= host_path_bytes) {
        return false;
    }
    memcpy(path, folder, at);
    path[at++] = '/';
    for (size_t i = 0; i < key_length; ++i) {
        const unsigned char byte = (unsigned char)key[i];
        if (byte < 128 && (isalnum(byte) || strchr("._-/", byte) != NULL)) {
            path[at++] = (char)byte;
        } else {
            at += (size_t)snprintf(path + at, 4, "%%%02X", byte);
        }
    }
    path[at] = '\0';
    return true;
}

void host_make_folders(const char* path)
{
    char folder[host_path_bytes];
    for (const char* end = strchr(path + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(end - path), path);
        if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
            host_die("cannot make folder", folder);
        }
    }
}

struct host_bytes host_read_file(const char* path)
{
    struct host_bytes file = {NULL, 0};
    FILE* const opened = fopen(path, "rb");
    if (opened == NULL) {
        return file;
    }
    size_t room = 4096;
    file.bytes = malloc(room);
    for (size_t read; file.bytes != NULL && (read = fread(file.bytes + file.length, 1, room - file.length, opened)) != 0;) {
        file.length += read;
        if (file.length == room) {
            room *= 2;
            file.bytes = realloc(file.bytes, room);
        }
    }
    fclose(opened);
    return file;
}

bool host_write_file(const char* path, const void* bytes, size_t length)
{
    char beside[host_path_bytes + 32];
    host_make_folders(path);
    snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    FILE* const file = fopen(beside, "wb");
    if (file == NULL) {
        return false;
    }
    const bool written = length == 0 || fwrite(bytes, 1, length, file) == length;
    if (fclose(file) != 0 || !written || rename(beside, path) != 0) {
        unlink(beside);
        return false;
    }
    return true;
}
