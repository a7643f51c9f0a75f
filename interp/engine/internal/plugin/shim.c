//go:build cgo && (linux || darwin)

#include "shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// Implemented in Go (client.go).
extern lg_error* lgClientCreate(int slot, lg_client_create_args* args);
extern lg_error* lgClientCompile(int slot, lg_compile_args* args);

static lg_api* real[LG_SLOTS];

// The table's functions take no user pointer, so each slot has its own pair that knows its number.
#define PAIR(n)                                                                               \
  static lg_error* create_##n(lg_client_create_args* args) { return lgClientCreate(n, args); } \
  static lg_error* compile_##n(lg_compile_args* args) { return lgClientCompile(n, args); }
PAIR(0)
PAIR(1)
PAIR(2)
PAIR(3)

static void* const creates[LG_SLOTS] = {create_0, create_1, create_2, create_3};
static void* const compiles[LG_SLOTS] = {compile_0, compile_1, compile_2, compile_3};

#ifdef __GLIBC__
// keep_memory makes malloc keep up to 2 GiB that are freed. XLA asks for the memory of all intermediate results anew at
// every run of a program, and each run would pay the system for the same pages again. Only the first arena can hold so
// much in one piece, and a thread that has called malloc stays with the arena it got: so this runs before any thread does.
__attribute__((constructor)) static void keep_memory(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}
#endif

lg_api* lg_open(const char* path, int slot, char* err, size_t err_size) {
  void* handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (handle == NULL) {
    snprintf(err, err_size, "%s", dlerror());
    return NULL;
  }
  lg_api* (*get)(void) = (lg_api * (*)(void)) dlsym(handle, "GetPjrtApi");
  lg_api* api = get == NULL ? NULL : get();
  if (api == NULL) {
    snprintf(err, err_size, "it has no working GetPjrtApi, so it is no PJRT plugin");
    dlclose(handle);
    return NULL;
  }
  if (api->version.major != 0 || api->struct_size < offsetof(lg_api, fn) + LG_FUNCTIONS * sizeof(void*)) {
    snprintf(err, err_size, "its PJRT interface is version %d.%d with a table of %zu bytes, which this program does not know",
             api->version.major, api->version.minor, api->struct_size);
    dlclose(handle);
    return NULL;
  }
  lg_api* copy = malloc(api->struct_size);
  if (copy == NULL) {
    snprintf(err, err_size, "out of memory");
    return NULL;
  }
  memcpy(copy, api, api->struct_size);
  copy->fn[LG_CLIENT_CREATE] = creates[slot];
  copy->fn[LG_CLIENT_COMPILE] = compiles[slot];
  real[slot] = api;
  return copy;
}

#define CALL(slot, place, args) ((lg_error * (*)(void*)) real[slot]->fn[place])(args)

// The threads that a client starts inherit which signals are blocked, and must get none that interrupts them: XLA's
// matrix products (oneDNN) work with a stack pointer that points into memory from malloc, and a signal's frame below it,
// such as that of the profiler's SIGPROF, damages the heap. Go's own threads take signals on stacks of their own.
lg_error* lg_real_create(int slot, lg_client_create_args* args) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  lg_error* err = CALL(slot, LG_CLIENT_CREATE, args);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
}

lg_error* lg_real_compile(int slot, lg_compile_args* args) { return CALL(slot, LG_CLIENT_COMPILE, args); }

static lg_error* client_text(int slot, int place, lg_client* client, const char** text, size_t* size) {
  lg_client_text_args args = {.struct_size = sizeof args, .client = client};
  lg_error* err = CALL(slot, place, &args);
  if (err == NULL) {
    *text = args.text;
    *size = args.text_size;
  }
  return err;
}

lg_error* lg_platform_name(int slot, lg_client* client, const char** text, size_t* size) {
  return client_text(slot, LG_CLIENT_PLATFORM_NAME, client, text, size);
}

lg_error* lg_platform_version(int slot, lg_client* client, const char** text, size_t* size) {
  return client_text(slot, LG_CLIENT_PLATFORM_VERSION, client, text, size);
}

lg_error* lg_load(int slot, lg_client* client, const char* bytes, size_t size, lg_loaded** out) {
  lg_deserialize_args args = {.struct_size = sizeof args, .client = client, .bytes = bytes, .bytes_size = size};
  lg_error* err = CALL(slot, LG_DESERIALIZE_AND_LOAD, &args);
  if (err == NULL) *out = args.loaded_executable;
  return err;
}

lg_error* lg_serialize(int slot, lg_loaded* loaded, lg_serialize_args* args) {
  lg_get_executable_args get = {.struct_size = sizeof get, .loaded_executable = loaded};
  lg_error* err = CALL(slot, LG_LOADED_GET_EXECUTABLE, &get);
  if (err != NULL) return err;
  memset(args, 0, sizeof *args);
  args->struct_size = sizeof *args;
  args->executable = get.executable;
  err = CALL(slot, LG_EXECUTABLE_SERIALIZE, args);
  lg_executable_destroy_args destroy = {.struct_size = sizeof destroy, .executable = get.executable};
  lg_error* late = CALL(slot, LG_EXECUTABLE_DESTROY, &destroy);
  if (late != NULL) lg_error_free(slot, late);
  return err;
}

void lg_free_serialized(lg_serialize_args* args) {
  if (args->deleter != NULL) args->deleter(args->serialized);
}

void lg_error_text(int slot, lg_error* err, const char** text, size_t* size) {
  lg_error_message_args args = {.struct_size = sizeof args, .error = err};
  ((void (*)(void*))real[slot]->fn[LG_ERROR_MESSAGE])(&args);
  *text = args.message;
  *size = args.message_size;
}

void lg_error_free(int slot, lg_error* err) {
  lg_error_destroy_args args = {.struct_size = sizeof args, .error = err};
  ((void (*)(void*))real[slot]->fn[LG_ERROR_DESTROY])(&args);
}

int lg_mute(void) {
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return -1;
  int kept = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (kept >= 0) dup2(nowhere, 2);
  close(nowhere);
  return kept;
}

void lg_unmute(int kept) {
  if (kept < 0) return;
  dup2(kept, 2);
  close(kept);
}
