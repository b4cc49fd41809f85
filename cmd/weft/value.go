package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"weft/internal/literal"
)

// mappers read the values of options and arguments. Those of kong say what is wrong in
// the words of Go's types.
func mappers() []kong.Option {
	return []kong.Option{
		kong.KindMapper(reflect.String, kong.MapperFunc(decodeString)),
		kong.KindMapper(reflect.Int, kong.MapperFunc(decodeInt)),
		kong.KindMapper(reflect.Int64, kong.MapperFunc(decodeInt)),
		kong.KindMapper(reflect.Float64, kong.MapperFunc(decodeFloat)),
		kong.KindMapper(reflect.Bool, boolMapper{}),
	}
}

// pop is the text of the value that comes next.
func pop(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("value")
	return token.String(), err
}

// decodeString takes a value as it is. Kong's own decoder replaces what is not
// UTF-8, and would so change a message.
func decodeString(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := pop(ctx)
	target.SetString(text)
	return err
}

func decodeInt(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(text, 10, target.Type().Bits())
	if err != nil {
		return fmt.Errorf("want a whole number, not %q", text)
	}
	target.SetInt(n)
	return nil
}

func decodeFloat(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("want a number, not %q", text)
	}
	target.SetFloat(n)
	return nil
}

// A boolMapper reads an option that is on where it is given without a value.
type boolMapper struct{}

// IsBool says that no value need follow.
func (boolMapper) IsBool() bool { return true }

// Decode reads --option and --option=false.
func (boolMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		target.SetBool(true)
		return nil
	}
	switch token := ctx.Scan.Pop(); strings.ToLower(token.String()) {
	case "true", "1", "yes":
		target.SetBool(true)
	case "false", "0", "no":
		target.SetBool(false)
	default:
		return fmt.Errorf("want true or false, not %q", token.String())
	}
	return nil
}

// duration is an option's value, as [literal.Duration] reads it.
type duration time.Duration

// Decode reads a duration.
func (d *duration) Decode(ctx *kong.DecodeContext) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	value, err := literal.Duration(text)
	*d = duration(value)
	return err
}

// start is when a task begins, as [literal.ParseStart] reads it.
type start literal.Start

// Decode reads how long to wait, or until when.
func (s *start) Decode(ctx *kong.DecodeContext) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	value, err := literal.ParseStart(text, time.Now())
	*s = start(value)
	return err
}

// megabytes is a size of memory in MiB, as [literal.Size] reads it.
type megabytes float64

// Decode reads a size.
func (m *megabytes) Decode(ctx *kong.DecodeContext) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	bytes, err := literal.Size(text, literal.MiB)
	*m = megabytes(float64(bytes) / literal.MiB)
	return err
}

// moment is a time in the past, as [literal.Since] reads it.
type moment time.Time

// Decode reads a time, or how long ago it was.
func (m *moment) Decode(ctx *kong.DecodeContext) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	id, err := literal.Since(text, time.Now())
	*m = moment(id.Time())
	return err
}
