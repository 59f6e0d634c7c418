// The law programs of a training job: a lane's step, the merge, the evaluation and the sum.
#pragma once

#include "plan/kind.h"

namespace lockstep::plan {

/// The merge averages parameters, momentum and loss over the lanes: ((x_0 + x_1) + …) / f32(lanes).
Result<Parts> train_parts(const Material& material);

}  // namespace lockstep::plan
