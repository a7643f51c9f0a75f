package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"lucigo/interp"
	"lucigo/interp/attack/api"
	"lucigo/models"
	"lucigo/models/digits"
)

type serveCommand struct {
	Network string  `arg:"" help:"A name that list says, a file of weights, or digits:FILE for a network that the command digits has trained."`
	Listen  string  `default:"127.0.0.1:8080" help:"Address. Port 0 is one that is free, which the first line of output says."`
	Scores  bool    `help:"Answer with the probabilities of all classes; otherwise with labels only."`
	Rate    float64 `help:"Images a second that each client may ask about; 0 is no limit."`
	Images  int     `help:"Images that a request may have; 0 is 64, or fewer if they are large."`
	Ledger  string  `help:"File where answers are counted by client, beyond the end of this process." type:"path"`
}

func (c serveCommand) Run(ctx context.Context) error {
	m, err := c.open(ctx)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	fmt.Printf("%s is at http://%s\n", m, l.Addr())
	return api.Server{Model: m, Scores: c.Scores, Rate: c.Rate, Images: c.Images, Ledger: c.Ledger}.Serve(ctx, l)
}

func (c serveCommand) open(ctx context.Context) (*interp.Model, error) {
	if file, ok := strings.CutPrefix(c.Network, "digits:"); ok {
		return digits.Open(file)
	}
	n, err := models.Find(c.Network)
	if err != nil {
		return nil, err
	}
	return n.Open(ctx)
}
