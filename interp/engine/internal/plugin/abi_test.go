//go:build cgo && (linux || darwin)

package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// checkABI compares abi.h with the interface's own header, which go-xla carries.
const checkABI = `
#include "pjrt_c_api.h"
#include "abi.h"

#define SAME(ours, our, theirs, their)                                                  \
  _Static_assert(offsetof(ours, our) == offsetof(theirs, their), #theirs "." #their);   \
  _Static_assert(sizeof(((ours*)0)->our) == sizeof(((theirs*)0)->their), #theirs "." #their " size")
#define FN(number, name) \
  _Static_assert(offsetof(lg_api, fn) + (number) * sizeof(void*) == offsetof(PJRT_Api, name), #name)

SAME(lg_api, struct_size, PJRT_Api, struct_size);
SAME(lg_api, extension_start, PJRT_Api, extension_start);
SAME(lg_api, version, PJRT_Api, pjrt_api_version);
SAME(lg_api, version.major, PJRT_Api, pjrt_api_version.major_version);
SAME(lg_api, version.minor, PJRT_Api, pjrt_api_version.minor_version);
FN(LG_ERROR_DESTROY, PJRT_Error_Destroy);
FN(LG_ERROR_MESSAGE, PJRT_Error_Message);
FN(LG_CLIENT_CREATE, PJRT_Client_Create);
FN(LG_CLIENT_PLATFORM_NAME, PJRT_Client_PlatformName);
FN(LG_CLIENT_PLATFORM_VERSION, PJRT_Client_PlatformVersion);
FN(LG_CLIENT_COMPILE, PJRT_Client_Compile);
FN(LG_EXECUTABLE_DESTROY, PJRT_Executable_Destroy);
FN(LG_EXECUTABLE_SERIALIZE, PJRT_Executable_Serialize);
FN(LG_LOADED_GET_EXECUTABLE, PJRT_LoadedExecutable_GetExecutable);
FN(LG_DESERIALIZE_AND_LOAD, PJRT_Executable_DeserializeAndLoad);
FN(LG_FUNCTIONS - 1, PJRT_Executable_DeserializeAndLoad);

#define HEAD(ours, theirs)                                       \
  SAME(ours, struct_size, theirs, struct_size);                  \
  SAME(ours, extension_start, theirs, extension_start)
#define WHOLE(ours, theirs) _Static_assert(sizeof(ours) == theirs##_STRUCT_SIZE, #theirs " size")

HEAD(lg_error_destroy_args, PJRT_Error_Destroy_Args);
SAME(lg_error_destroy_args, error, PJRT_Error_Destroy_Args, error);
WHOLE(lg_error_destroy_args, PJRT_Error_Destroy_Args);

HEAD(lg_error_message_args, PJRT_Error_Message_Args);
SAME(lg_error_message_args, error, PJRT_Error_Message_Args, error);
SAME(lg_error_message_args, message, PJRT_Error_Message_Args, message);
SAME(lg_error_message_args, message_size, PJRT_Error_Message_Args, message_size);
WHOLE(lg_error_message_args, PJRT_Error_Message_Args);

HEAD(lg_client_create_args, PJRT_Client_Create_Args);
SAME(lg_client_create_args, create_options, PJRT_Client_Create_Args, create_options);
SAME(lg_client_create_args, client, PJRT_Client_Create_Args, client);

HEAD(lg_client_text_args, PJRT_Client_PlatformName_Args);
SAME(lg_client_text_args, client, PJRT_Client_PlatformName_Args, client);
SAME(lg_client_text_args, text, PJRT_Client_PlatformName_Args, platform_name);
SAME(lg_client_text_args, text_size, PJRT_Client_PlatformName_Args, platform_name_size);
WHOLE(lg_client_text_args, PJRT_Client_PlatformName_Args);
SAME(lg_client_text_args, client, PJRT_Client_PlatformVersion_Args, client);
SAME(lg_client_text_args, text, PJRT_Client_PlatformVersion_Args, platform_version);
SAME(lg_client_text_args, text_size, PJRT_Client_PlatformVersion_Args, platform_version_size);
WHOLE(lg_client_text_args, PJRT_Client_PlatformVersion_Args);

HEAD(lg_program, PJRT_Program);
SAME(lg_program, code, PJRT_Program, code);
SAME(lg_program, code_size, PJRT_Program, code_size);
SAME(lg_program, format, PJRT_Program, format);
SAME(lg_program, format_size, PJRT_Program, format_size);
WHOLE(lg_program, PJRT_Program);

HEAD(lg_compile_args, PJRT_Client_Compile_Args);
SAME(lg_compile_args, client, PJRT_Client_Compile_Args, client);
SAME(lg_compile_args, program, PJRT_Client_Compile_Args, program);
SAME(lg_compile_args, compile_options, PJRT_Client_Compile_Args, compile_options);
SAME(lg_compile_args, compile_options_size, PJRT_Client_Compile_Args, compile_options_size);
SAME(lg_compile_args, executable, PJRT_Client_Compile_Args, executable);
WHOLE(lg_compile_args, PJRT_Client_Compile_Args);

HEAD(lg_get_executable_args, PJRT_LoadedExecutable_GetExecutable_Args);
SAME(lg_get_executable_args, loaded_executable, PJRT_LoadedExecutable_GetExecutable_Args, loaded_executable);
SAME(lg_get_executable_args, executable, PJRT_LoadedExecutable_GetExecutable_Args, executable);
WHOLE(lg_get_executable_args, PJRT_LoadedExecutable_GetExecutable_Args);

HEAD(lg_executable_destroy_args, PJRT_Executable_Destroy_Args);
SAME(lg_executable_destroy_args, executable, PJRT_Executable_Destroy_Args, executable);
WHOLE(lg_executable_destroy_args, PJRT_Executable_Destroy_Args);

HEAD(lg_serialize_args, PJRT_Executable_Serialize_Args);
SAME(lg_serialize_args, executable, PJRT_Executable_Serialize_Args, executable);
SAME(lg_serialize_args, bytes, PJRT_Executable_Serialize_Args, serialized_bytes);
SAME(lg_serialize_args, bytes_size, PJRT_Executable_Serialize_Args, serialized_bytes_size);
SAME(lg_serialize_args, serialized, PJRT_Executable_Serialize_Args, serialized_executable);
SAME(lg_serialize_args, deleter, PJRT_Executable_Serialize_Args, serialized_executable_deleter);
WHOLE(lg_serialize_args, PJRT_Executable_Serialize_Args);

HEAD(lg_deserialize_args, PJRT_Executable_DeserializeAndLoad_Args);
SAME(lg_deserialize_args, client, PJRT_Executable_DeserializeAndLoad_Args, client);
SAME(lg_deserialize_args, bytes, PJRT_Executable_DeserializeAndLoad_Args, serialized_executable);
SAME(lg_deserialize_args, bytes_size, PJRT_Executable_DeserializeAndLoad_Args, serialized_executable_size);
SAME(lg_deserialize_args, loaded_executable, PJRT_Executable_DeserializeAndLoad_Args, loaded_executable);
SAME(lg_deserialize_args, compile_options, PJRT_Executable_DeserializeAndLoad_Args, overridden_serialized_compile_options);
SAME(lg_deserialize_args, compile_options_size, PJRT_Executable_DeserializeAndLoad_Args, overridden_serialized_compile_options_size);
WHOLE(lg_deserialize_args, PJRT_Executable_DeserializeAndLoad_Args);
`

func TestABI(t *testing.T) {
	output := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatal(name, args, err)
		}
		return strings.TrimSpace(string(out))
	}
	dir := output("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla")
	cc := strings.Fields(output("go", "env", "CC"))
	source := filepath.Join(t.TempDir(), "check.c")
	if err := os.WriteFile(source, []byte(checkABI), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(cc[1:], "-std=c11", "-fsyntax-only", "-I.", "-I"+filepath.Join(dir, "pjrt"), source)
	if out, err := exec.Command(cc[0], args...).CombinedOutput(); err != nil {
		t.Errorf("abi.h differs from the header of go-xla: %v\n%s", err, out)
	}
}

// TestOff reads what is added to the options of a program as their own definition does.
func TestOff(t *testing.T) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName("xla.CompileOptionsProto")
	if err != nil {
		t.Fatal(err)
	}
	options := kind.New().Interface()
	if err := proto.Unmarshal(append([]byte{4 << 3, 1}, off("some_option")...), options); err != nil { // field 4 is compile_portable_executable
		t.Fatal(err)
	}
	got, err := protojson.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"compilePortableExecutable":true,"envOptionOverrides":{"some_option":{"boolField":false}}}`
	if text := strings.ReplaceAll(string(got), " ", ""); text != want {
		t.Errorf("%s, want %s", text, want)
	}
}
