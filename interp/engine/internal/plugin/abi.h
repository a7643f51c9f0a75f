// The part of the PJRT C interface (version 0.x) that the compile cache touches, as plain memory layout.
// PJRT fixes it by documented order: every argument struct begins with its own size and an extension pointer, fields
// are only ever added at the end, and the interface is one table of function pointers. TestABI compares every offset
// here with the interface's own header.
#ifndef LUCIGO_PJRT_ABI_H
#define LUCIGO_PJRT_ABI_H

#include <stddef.h>

typedef struct lg_error lg_error;            // PJRT_Error
typedef struct lg_client lg_client;          // PJRT_Client
typedef struct lg_executable lg_executable;  // PJRT_Executable
typedef struct lg_loaded lg_loaded;          // PJRT_LoadedExecutable
typedef struct lg_serialized lg_serialized;  // PJRT_SerializedExecutable

// lg_api is PJRT_Api: a header and then the functions, numbered below.
typedef struct lg_api {
  size_t struct_size;
  void* extension_start;
  struct {
    size_t struct_size;
    void* extension_start;
    int major, minor;
  } version;
  void* fn[];
} lg_api;

// Places of functions in lg_api.fn.
enum {
  LG_ERROR_DESTROY = 0,
  LG_ERROR_MESSAGE = 1,
  LG_CLIENT_CREATE = 10,
  LG_CLIENT_PLATFORM_NAME = 12,
  LG_CLIENT_PLATFORM_VERSION = 14,
  LG_CLIENT_COMPILE = 20,
  LG_EXECUTABLE_DESTROY = 40,
  LG_EXECUTABLE_SERIALIZE = 49,
  LG_LOADED_GET_EXECUTABLE = 51,
  LG_DESERIALIZE_AND_LOAD = 56,
  LG_FUNCTIONS = 57,  // a plugin whose table is shorter is too old
};

typedef struct {  // PJRT_Error_Destroy_Args
  size_t struct_size;
  void* extension_start;
  lg_error* error;
} lg_error_destroy_args;

typedef struct {  // PJRT_Error_Message_Args
  size_t struct_size;
  void* extension_start;
  const lg_error* error;
  const char* message;
  size_t message_size;
} lg_error_message_args;

typedef struct {  // PJRT_Client_Create_Args, up to its out field
  size_t struct_size;
  void* extension_start;
  const void* create_options;
  size_t num_options;
  void* kv_get_callback;
  void* kv_get_user_arg;
  void* kv_put_callback;
  void* kv_put_user_arg;
  lg_client* client;
} lg_client_create_args;

typedef struct {  // PJRT_Client_PlatformName_Args and PJRT_Client_PlatformVersion_Args
  size_t struct_size;
  void* extension_start;
  lg_client* client;
  const char* text;
  size_t text_size;
} lg_client_text_args;

typedef struct {  // PJRT_Program
  size_t struct_size;
  void* extension_start;
  char* code;
  size_t code_size;
  const char* format;
  size_t format_size;
} lg_program;

typedef struct {  // PJRT_Client_Compile_Args
  size_t struct_size;
  void* extension_start;
  lg_client* client;
  const lg_program* program;
  const char* compile_options;
  size_t compile_options_size;
  lg_loaded* executable;
} lg_compile_args;

typedef struct {  // PJRT_LoadedExecutable_GetExecutable_Args
  size_t struct_size;
  void* extension_start;
  lg_loaded* loaded_executable;
  lg_executable* executable;
} lg_get_executable_args;

typedef struct {  // PJRT_Executable_Destroy_Args
  size_t struct_size;
  void* extension_start;
  lg_executable* executable;
} lg_executable_destroy_args;

typedef struct {  // PJRT_Executable_Serialize_Args
  size_t struct_size;
  void* extension_start;
  const lg_executable* executable;
  const char* bytes;
  size_t bytes_size;
  lg_serialized* serialized;
  void (*deleter)(lg_serialized*);
} lg_serialize_args;

typedef struct {  // PJRT_Executable_DeserializeAndLoad_Args
  size_t struct_size;
  void* extension_start;
  lg_client* client;
  const char* bytes;
  size_t bytes_size;
  lg_loaded* loaded_executable;
  const char* compile_options;
  size_t compile_options_size;
} lg_deserialize_args;

#endif
