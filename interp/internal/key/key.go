// Package key derives keys of compiled programs from types and values, so that no author of a step, a rule
// or an objective has to remember to write one.
package key

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// deepest is how far values may be nested: a value that contains itself has no key.
const deepest = 64

// Of returns a key of the values: equal if, and only if, they have the same types and the same contents,
// through structs, interfaces, slices, maps and pointers. Fields that are not exported count too. The key
// is good within one process.
//
// A func has no contents to compare, so a value that holds one is an error, which names the field. A
// pointer to a func is different: it counts by its address, and whoever keeps the key has to keep the
// value, so that no other func gets that address.
func Of(values ...any) (string, error) {
	var w writer
	for _, v := range values {
		if err := w.dynamic(reflect.ValueOf(v), 0); err != nil {
			return "", err
		}
	}
	return w.String(), nil
}

// Lasting is Of for a key that another process can compare: types go by their names, and those of package
// main, which is another in each program, are an error. A pointer that known has a text for is that text;
// nil knows none, and neither are fields that are not exported asked about. A pointer to a func is an error too.
func Lasting(known func(pointer any) (text string, ok bool, err error), values ...any) (string, error) {
	w := writer{lasting: true, known: known}
	for _, v := range values {
		if err := w.dynamic(reflect.ValueOf(v), 0); err != nil {
			return "", err
		}
	}
	return w.String(), nil
}

type writer struct {
	strings.Builder
	lasting bool
	known   func(pointer any) (string, bool, error)
}

// dynamic writes a value with its type: two types of one name are two types.
func (w *writer) dynamic(v reflect.Value, depth int) error {
	if !v.IsValid() {
		w.WriteString("nil;")
		return nil
	}
	if w.lasting {
		t := v.Type()
		for t.Name() == "" && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.PkgPath() == "main" {
			return fmt.Errorf("(%s) is a type of package main, whose code may change while its name stays", v.Type())
		}
		fmt.Fprintf(w, "%q.%s:", t.PkgPath(), v.Type())
	} else {
		fmt.Fprintf(w, "%#x:", reflect.ValueOf(v.Type()).Pointer())
	}
	if err := w.value(v, depth); err != nil {
		return fmt.Errorf("(%s)%w", v.Type(), err)
	}
	return nil
}

func (w *writer) value(v reflect.Value, depth int) error {
	if depth > deepest {
		return fmt.Errorf(" is nested more than %d deep", deepest)
	}
	depth++
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Func, reflect.Chan:
		if v.IsNil() { // an empty slice or map is another value: many a field takes nil for its default
			w.WriteString("nil;")
			return nil
		}
	}
	if w.known != nil && v.Kind() == reflect.Pointer && v.CanInterface() {
		text, ok, err := w.known(v.Interface())
		if err != nil {
			return fmt.Errorf(": %w", err)
		}
		if ok {
			fmt.Fprintf(w, "%d:%s;", len(text), text)
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		fmt.Fprintf(w, "%t;", v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(w, "%d;", v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		fmt.Fprintf(w, "%d;", v.Uint())
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(w, "%x;", v.Float())
	case reflect.Complex64, reflect.Complex128:
		fmt.Fprintf(w, "%x;", v.Complex())
	case reflect.String:
		fmt.Fprintf(w, "%d:%s;", v.Len(), v.String())
	case reflect.Interface:
		return w.dynamic(v.Elem(), depth)
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Func && !w.lasting {
			fmt.Fprintf(w, "%#x;", v.Pointer())
			return nil
		}
		w.WriteString("&")
		return w.value(v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := w.value(v.Field(i), depth); err != nil {
				return fmt.Errorf(".%s%w", v.Type().Field(i).Name, err)
			}
		}
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(w, "%d[", v.Len())
		for i := range v.Len() {
			if err := w.value(v.Index(i), depth); err != nil {
				return fmt.Errorf("[%d]%w", i, err)
			}
		}
	case reflect.Map:
		var entries []string
		for k, e := range v.Seq2() {
			entry := writer{lasting: w.lasting, known: w.known}
			if err := entry.value(k, depth); err != nil {
				return fmt.Errorf("[key]%w", err)
			}
			if err := entry.value(e, depth); err != nil {
				return fmt.Errorf("[%v]%w", k, err)
			}
			entries = append(entries, entry.String())
		}
		slices.Sort(entries)
		fmt.Fprintf(w, "%d{%s", len(entries), strings.Join(entries, ""))
	default: // a func, a channel, an unsafe pointer
		return fmt.Errorf(" is a %s, whose contents cannot be compared", v.Kind())
	}
	return nil
}
