/* Preloaded into a program, this moves the wall clock that it sees by what a mapped file says in nanoseconds, a signed 64-bit
 * number of this machine; only whole seconds of it count. The monotonic clock is left alone. The file is mapped at the start, so that nothing but reading
 * memory is done later: a sandboxed child needs no more rights. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *shift;

__attribute__((constructor)) static void map_shift(void) {
    const char *path = getenv("PRIVET_TEST_CLOCK_SHIFT");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *place = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (place != MAP_FAILED) shift = place;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (failed || !shift || clock != CLOCK_REALTIME) return failed;
    time->tv_sec += *shift / 1000000000;
    return 0;
}
