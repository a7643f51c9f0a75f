#ifndef LUCIGO_PJRT_SHIM_H
#define LUCIGO_PJRT_SHIM_H

#include "abi.h"

// LG_SLOTS is how many different plugins one process can open.
#define LG_SLOTS 4

// lg_open loads the plugin file into a slot and returns its table with Client_Create and Client_Compile replaced, or
// NULL and a message in err.
lg_api* lg_open(const char* path, int slot, char* err, size_t err_size);

// The plugin's own functions. Those that return an lg_error own nothing else on failure.
lg_error* lg_real_create(int slot, lg_client_create_args* args);
lg_error* lg_real_compile(int slot, lg_compile_args* args);
lg_error* lg_platform_name(int slot, lg_client* client, const char** text, size_t* size);
lg_error* lg_platform_version(int slot, lg_client* client, const char** text, size_t* size);
lg_error* lg_load(int slot, lg_client* client, const char* bytes, size_t size, lg_loaded** out);

// lg_serialize fills args; on success the bytes live until lg_free_serialized.
lg_error* lg_serialize(int slot, lg_loaded* loaded, lg_serialize_args* args);
void lg_free_serialized(lg_serialize_args* args);

// The text of an error lives until lg_error_free.
void lg_error_text(int slot, lg_error* err, const char** text, size_t* size);
void lg_error_free(int slot, lg_error* err);

// lg_mute sends standard error (file descriptor 2) nowhere and returns what lg_unmute needs to bring it back, -1 if it
// did nothing.
int lg_mute(void);
void lg_unmute(int kept);

#endif
