"""Jupyter's own tests of a kernel."""
import unittest

import jupyter_kernel_test


class Kernel(jupyter_kernel_test.KernelTests):
    kernel_name = "lucigo"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = 'fmt.Println("hello, world")'
    code_stderr = 'fmt.Fprintln(os.Stderr, "a warning")'
    code_generate_error = 'panic("on purpose")'
    completion_samples = [
        {"text": "fmt.Printl", "matches": {"Println"}},
        {"text": "show.Gri", "matches": {"Grid"}},
        {"text": "saliency.SmoothG", "matches": {"SmoothGrad"}},
    ]
    complete_code_samples = ["x := 1", "fmt.Println(1)", "func f() int {\n\treturn 1\n}", "%help", "!ls", ""]
    incomplete_code_samples = ["func f() {", "for i := range 3 {", "fmt.Println(", "x := `raw"]
    invalid_code_samples = ["func )", "x := = 1", "%nothing"]
    code_inspect_sample = "fmt.Println"
    code_history_pattern = "result.S*"
    supported_history_operations = ("tail", "range", "search")
    code_execute_result = [{"code": "result.Show(42)", "mime": "text/plain", "result": "42"}]
    code_display_data = [{"code": 'gonbui.DisplayHTML("<b>bold</b>")', "mime": "text/html"}]


if __name__ == "__main__":
    unittest.main()
