package cli

import "github.com/spf13/cobra"

func newPolicyCommand(sys System) *cobra.Command {
	return newGroup("policy", "Check, test and format policies")
}
