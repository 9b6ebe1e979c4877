// The reference of the benchmarks: what a relay between a client and its workers costs in plain C, when it does nothing but forward
// whole frames. It never looks into a body, keeps no ids, checks nothing, and serves one client.
//
//   bare-relay blocking WORKERS PATH|-   one request at a time, to the first worker: a frame is read whole, then written whole
//   bare-relay batching WORKERS PATH|-   pipelined: every wake-up forwards all whole frames that are there, in one write a target;
//                                        frames go to the workers in turn
//   bare-relay worker   0       PATH|-   no relay: the worker itself serves the client
//
// With `-- PROGRAM ARGUMENTS...` behind it the workers are that program, with their end of the socket pair as descriptor 0.
//
// The client connects to a unix socket at PATH; `-` means that descriptor 0 is the client's connection. The workers are forked processes
// behind socket pairs, and echo every frame as it came. Everything ends when the client closes its connection.
//
// The batching relay writes without looking for room: at depth 64 with small frames a socket always has it.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { max_workers = 16, header_size = 4, initial_capacity = 256 * 1024 };

struct buffer {
  uint8_t* data;
  size_t size;
  size_t capacity;
};

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void reserve(struct buffer* buffer, size_t capacity) {
  if (capacity <= buffer->capacity) return;
  buffer->capacity = capacity > initial_capacity ? capacity : initial_capacity;
  buffer->data = realloc(buffer->data, buffer->capacity);
  if (buffer->data == NULL) die("realloc");
}

// Reads what is there, at least a byte; false at the end of the stream.
static bool read_some(int fd, struct buffer* buffer) {
  ssize_t n;
  do {
    n = read(fd, buffer->data + buffer->size, buffer->capacity - buffer->size);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno != ECONNRESET) die("read");
  if (n <= 0) return false;
  buffer->size += (size_t)n;
  return true;
}

// False if nobody reads any more.
static bool write_all(int fd, const uint8_t* data, size_t size) {
  while (size > 0) {
    const ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EPIPE && errno != ECONNRESET) die("write");
    if (n < 0) return false;
    data += n;
    size -= (size_t)n;
  }
  return true;
}

// The size of the frame at `data` with its header, or 0 while the header is not whole.
static size_t frame_size(const uint8_t* data, size_t available) {
  if (available < header_size) return 0;
  return header_size + ((size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]);
}

// Reads exactly one frame: the peer sends no second one before it has its answer.
static bool read_frame(int fd, struct buffer* buffer) {
  buffer->size = 0;
  size_t wanted = 0;
  do {
    if (!read_some(fd, buffer)) return false;
    wanted = frame_size(buffer->data, buffer->size);
    reserve(buffer, wanted);
  } while (wanted == 0 || buffer->size < wanted);
  if (buffer->size > wanted) {
    fputs("bare-relay: more than one request at a time in blocking mode\n", stderr);
    exit(1);
  }
  return true;
}

// The length of all whole frames at the front.
static size_t whole_frames(const struct buffer* buffer) {
  size_t end = 0;
  for (;;) {
    const size_t size = frame_size(buffer->data + end, buffer->size - end);
    if (size == 0 || size > buffer->size - end) return end;
    end += size;
  }
}

static void consume(struct buffer* buffer, size_t size) {
  buffer->size -= size;
  if (buffer->size > 0) memmove(buffer->data, buffer->data + size, buffer->size);
}

// Echoes whatever whole frames have arrived in one write.
static void run_worker(int fd) {
  struct buffer buffer = {0};
  reserve(&buffer, initial_capacity);
  while (read_some(fd, &buffer)) {
    reserve(&buffer, frame_size(buffer.data, buffer.size));
    const size_t size = whole_frames(&buffer);
    if (size > 0 && !write_all(fd, buffer.data, size)) break;
    consume(&buffer, size);
  }
  free(buffer.data);
}

// `program`: NULL ends its arguments; empty: the worker of this file.
static int start_worker(int client, char** program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) die("socketpair");
  const pid_t relay = getpid();
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) {
    close(ends[1]);
    return ends[0];
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != relay) exit(1);
  close(ends[0]);
  close(client);
  if (program[0] != NULL) {
    if (dup2(ends[1], STDIN_FILENO) < 0) die("dup2");
    close(ends[1]);
    execvp(program[0], program);
    die(program[0]);
  }
  run_worker(ends[1]);
  exit(0);
}

static void run_blocking(int client, int worker) {
  struct buffer buffer = {0};
  reserve(&buffer, initial_capacity);
  while (read_frame(client, &buffer) && write_all(worker, buffer.data, buffer.size) &&  // a request,
         read_frame(worker, &buffer) && write_all(client, buffer.data, buffer.size)) {  // its reply
  }
  free(buffer.data);
}

// Deals the whole frames of `in` out to the workers in turn, and writes to each at most once. `next` is the worker whose turn it is.
static bool deal_out(struct buffer* in, const struct pollfd* workers, struct buffer* out, size_t count, size_t* next) {
  const size_t whole = whole_frames(in);
  for (size_t at = 0; at < whole; *next = (*next + 1) % count) {
    const size_t size = frame_size(in->data + at, whole - at);
    struct buffer* target = &out[*next];
    reserve(target, target->size + size);
    memcpy(target->data + target->size, in->data + at, size);
    target->size += size;
    at += size;
  }
  consume(in, whole);
  for (size_t i = 0; i < count; ++i) {
    if (!write_all(workers[i].fd, out[i].data, out[i].size)) return false;
    out[i].size = 0;
  }
  return true;
}

// Moves the whole frames of `in` behind those in `out`.
static void collect(struct buffer* in, struct buffer* out) {
  const size_t whole = whole_frames(in);
  reserve(out, out->size + whole);
  memcpy(out->data + out->size, in->data, whole);
  out->size += whole;
  consume(in, whole);
}

static void run_batching(int client, const int* workers, size_t count) {
  struct buffer in[max_workers + 1] = {0};   // the client's bytes, then the workers'
  struct buffer out[max_workers + 1] = {0};  // likewise
  struct pollfd ready[max_workers + 1];
  for (size_t i = 0; i <= count; ++i) {
    reserve(&in[i], initial_capacity);
    reserve(&out[i], initial_capacity);
    ready[i] = (struct pollfd){.fd = i == 0 ? client : workers[i - 1], .events = POLLIN};
  }
  size_t next = 0;
  for (;;) {
    if (poll(ready, count + 1, -1) < 0 && errno != EINTR) die("poll");
    for (size_t i = 0; i <= count; ++i) {
      if (ready[i].revents == 0) continue;
      if (!read_some(ready[i].fd, &in[i])) return;
      reserve(&in[i], frame_size(in[i].data, in[i].size));
      if (i == 0) {
        if (!deal_out(&in[0], ready + 1, out + 1, count, &next)) return;
      } else {
        collect(&in[i], &out[0]);
      }
    }
    if (!write_all(client, out[0].data, out[0].size)) return;
    out[0].size = 0;
  }
}

// The first client that connects to a socket at `path`.
static int accept_client(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    fputs("bare-relay: the path of the socket is too long\n", stderr);
    exit(2);
  }
  strcpy(address.sun_path, path);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1) != 0) die(path);
  const int client = accept(listener, NULL, NULL);
  if (client < 0) die("accept");
  close(listener);
  return client;
}

int main(int argc, char** argv) {
  if (argc != 4 && (argc < 6 || strcmp(argv[4], "--") != 0)) {
    fputs("usage: bare-relay blocking|batching|worker WORKERS PATH|- [-- PROGRAM ARGUMENTS...]\n", stderr);
    return 2;
  }
  const size_t count = strtoul(argv[2], NULL, 10);
  signal(SIGPIPE, SIG_IGN);
  const int client = strcmp(argv[3], "-") == 0 ? STDIN_FILENO : accept_client(argv[3]);
  if (strcmp(argv[1], "worker") == 0) {
    run_worker(client);
    return 0;
  }
  const bool batching = strcmp(argv[1], "batching") == 0;
  if ((!batching && strcmp(argv[1], "blocking") != 0) || count < 1 || count > max_workers) {
    fprintf(stderr, "bare-relay: blocking or batching, 1 to %d workers\n", max_workers);
    return 2;
  }
  int workers[max_workers];
  for (size_t i = 0; i < count; ++i) workers[i] = start_worker(client, argc > 4 ? argv + 5 : argv + 4);
  if (batching) {
    run_batching(client, workers, count);
  } else {
    run_blocking(client, workers[0]);
  }
  for (size_t i = 0; i < count; ++i) close(workers[i]);
  while (wait(NULL) > 0) {
  }
  return 0;
}
