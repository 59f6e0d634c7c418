// Planted faults that the tests must find. Without LOCKSTEP_MUTANTS none exists: is_mutated() is a
// constant and the compiler removes what it guards.
#pragma once

#include <cstdint>

namespace lockstep {

/// What each one changes stands in docs/mutants.md.
enum class Mutant : uint8_t {
  none,
  refund_twice,
  accept_without_claim,
  missing_sync,
  draw_off_by_one,
  opening_not_checked,
  burned_half_forgotten,
  preimage_reused,
  receipt_not_bound,
  deadline_off_by_one,
  stale_root_accepted,
  void_not_spread,
  seed_without_requester,
  quarter_burned,
  bond_kept,
  signature_ignored,
  salts_not_compared,
  unread_paid,
  final_under_audit,
  salt_reused,
  blob_not_checked,
};
inline constexpr Mutant mutant_last = Mutant::blob_not_checked;

#ifdef LOCKSTEP_MUTANTS
namespace detail {
inline Mutant active_mutant = Mutant::none;  // NOLINT(*-avoid-non-const-global-variables)
}
[[nodiscard]] inline bool is_mutated(Mutant mutant) {
  return detail::active_mutant == mutant;
}
/// The only one from here on; none: the program as it is shipped. For one thread.
inline void set_mutant(Mutant mutant) {
  detail::active_mutant = mutant;
}
#else
[[nodiscard]] constexpr bool is_mutated(Mutant mutant) {
  return mutant == Mutant::none;
}
#endif

}  // namespace lockstep
