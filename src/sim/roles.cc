#include "sim/roles.h"

#include "sim/byzantine_node.h"

namespace lockstep::sim {
namespace {

const std::vector<RoleRow>& all_roles() {
  static const std::vector<RoleRow> rows = [] {
    std::vector<RoleRow> all;
    for (const auto part : {provider_roles(),
                            claim_roles(),
                            auditor_roles(),
                            challenger_roles(),
                            forger_roles(),
                            requester_roles(),
                            ledger_roles()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return rows;
}

/// "dropping-ledger:provider-2": the name and what follows its colon.
std::pair<std::string, std::string> parts_of(const std::string& role) {
  const size_t colon = role.find(':');
  return colon == std::string::npos ? std::pair(role, std::string())
                                    : std::pair(role.substr(0, colon), role.substr(colon + 1));
}

const RoleRow* find_role(const std::string& name) {
  for (const RoleRow& row : all_roles()) {
    if (name == row.name) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<node::Node>> in_role(const RoleSpec& spec,
                                            const RoleContext& context,
                                            std::unique_ptr<node::Node> inner) {
  const auto [name, argument] = parts_of(spec.role);
  const RoleRow* const row = find_role(name);
  if (row == nullptr || !spec.who.starts_with(row->kind)) {
    return refuse(Code::bad_option,
                  row == nullptr ? "there is no role \"" + spec.role + "\""
                                 : "\"" + spec.role + "\" is no role of " + spec.who);
  }
  return row->make(context, argument, std::move(inner));
}

std::vector<std::string> role_names() {
  std::vector<std::string> names;
  for (const RoleRow& row : all_roles()) {
    names.emplace_back(row.name);
  }
  return names;
}

std::string role_kind(const std::string& role) {
  const RoleRow* const row = find_role(parts_of(role).first);
  return row == nullptr ? std::string() : std::string(row->kind);
}

}  // namespace lockstep::sim
