package iam

import (
	"cmp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// securityGroup reads the three shapes in which EC2 records rules: a list, one
// flat rule, and the doubly nested in-place edit (one object, or a list).
func (c awsCall) securityGroup(rule awsRule) []engine.AccessFact {
	var out []engine.AccessFact
	add := func(protocol, from, to, peer, id string) {
		f := c.fact(rule)
		f.Permission.ID = cmp.Or(ports(protocol, from, to)+fromPeer(peer), id)
		f.Permission.Condition = exposure(rule.operation, peer)
		f.Permission.Scope = strings.Trim(c.scope()+" "+direction(c), " ")
		out = append(out, f)
	}
	params := c.get("requestParameters")
	for _, r := range params.list("ModifySecurityGroupRulesRequest.SecurityGroupRule") {
		edited := r.get("SecurityGroupRule")
		add(edited.str("IpProtocol"), edited.str("FromPort"), edited.str("ToPort"),
			edited.first("CidrIpv4", "CidrIpv6", "ReferencedGroupId", "PrefixListId"), r.str("SecurityGroupRuleId"))
	}
	for _, p := range params.list("ipPermissions.items") {
		protocol, from, to := p.str("ipProtocol"), p.str("fromPort"), p.str("toPort")
		peers := 0
		for _, kind := range []struct{ list, field string }{
			{"ipRanges", "cidrIp"}, {"ipv6Ranges", "cidrIpv6"}, {"groups", "groupId"}, {"prefixListIds", "prefixListId"},
		} {
			for _, e := range p.list(kind.list + ".items") {
				if peer := e.str(kind.field); peer != "" {
					add(protocol, from, to, peer, "")
					peers++
				}
			}
		}
		if peers == 0 {
			add(protocol, from, to, "", "")
		}
	}
	if len(out) == 0 && (params.has("ipProtocol") || params.has("cidrIp")) {
		add(params.str("ipProtocol"), params.str("fromPort"), params.str("toPort"), params.first("cidrIp", "cidrIpv6"), "")
	}
	for _, id := range params.strs("securityGroupRuleIds.items") {
		add("", "", "", "", id)
	}
	if len(out) == 0 {
		out = append(out, c.fact(rule))
	}
	return out
}

func direction(c awsCall) string {
	switch {
	case strings.HasSuffix(c.name, "Ingress"):
		return "ingress"
	case strings.HasSuffix(c.name, "Egress"):
		return "egress"
	}
	return ""
}

// ports writes a protocol and its port range. Protocol -1 has no ports: it means all.
func ports(protocol, from, to string) string {
	switch {
	case protocol == "-1":
		return "all traffic"
	case protocol == "":
		return ""
	case from == "" || from == to:
		return strings.TrimSuffix(protocol+"/"+from, "/")
	}
	return protocol + "/" + from + "-" + to
}

func fromPeer(peer string) string {
	if peer == "" {
		return ""
	}
	return " from " + peer
}

// exposure tells a rule that opens to the whole Internet: any range of length
// zero, however it is written. Closing such a rule is no exposure.
func exposure(operation, cidr string) string {
	if operation != opRemove && strings.HasSuffix(cidr, "/0") {
		return "open to the world"
	}
	return ""
}

func aclEntry(c awsCall, f *engine.AccessFact) {
	p := c.get("requestParameters")
	cidr := p.first("cidrBlock", "ipv6CidrBlock")
	f.Permission.ID = strings.TrimSpace(p.str("ruleAction") + " " + ports(p.str("aclProtocol"), p.str("portRange.from"), p.str("portRange.to")) + fromPeer(cidr))
	if p.str("ruleAction") == "allow" {
		f.Permission.Condition = exposure(opAdd, cidr)
	}
}
