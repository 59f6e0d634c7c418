// The law programs of a sweep: a step of training, the evaluation, the sum and the choice.
#pragma once

#include "plan/kind.h"

namespace lockstep::plan {

Result<Parts> sweep_parts(const Material& material);

}  // namespace lockstep::plan
