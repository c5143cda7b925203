/* Makes a server durable from outside, for a fair comparison: what it wrote is synced when it closes the file, and a
 * folder is synced when a name in it changes. Preloaded (LD_PRELOAD); acts below the folder that SYNC_BELOW names.
 *
 * This is what a server must do before it may say "stored": without it, a PUT that was acknowledged can be lost or
 * empty after a power cut. Errors of the syncs are not reported: this measures, it does not protect. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_below(const char *path)
{
    const char *root = getenv("SYNC_BELOW");
    return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    int (*real_close)(int) = dlsym(RTLD_NEXT, "close");
    real_close(fd);
}

int close(int fd)
{
    static int (*real_close)(int);
    if (real_close == NULL)
        real_close = dlsym(RTLD_NEXT, "close");
    int saved = errno;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = '\0';
            if (is_below(path))
                fsync(fd);
        }
    }
    errno = saved;
    return real_close(fd);
}

int rename(const char *from, const char *to)
{
    static int (*real_rename)(const char *, const char *);
    if (real_rename == NULL)
        real_rename = dlsym(RTLD_NEXT, "rename");
    int result = real_rename(from, to);
    int saved = errno;
    if (result == 0 && is_below(to))
        sync_folder_of(to);
    errno = saved;
    return result;
}
