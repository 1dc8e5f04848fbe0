"""The public names of gradalign, by what a user does with them."""

# Alignment of gradients
# Weights of loss terms and of rows
from gradalign.balancing.loss_weights import causal_row_weights as causal_row_weights
from gradalign.balancing.loss_weights import gradient_norm_weights as gradient_norm_weights

# Errors
from gradalign.base.errors import ConfigurationError as ConfigurationError
from gradalign.base.errors import GradalignError as GradalignError

# Derivatives of fields by the coordinates
from gradalign.derivatives.partial import partial_derivatives as partial_derivatives
from gradalign.diagnostics.alignment import Alignment as Alignment
from gradalign.diagnostics.alignment import alignment as alignment
from gradalign.diagnostics.alignment import alignment_score as alignment_score
from gradalign.diagnostics.alignment import common_descent_threshold as common_descent_threshold
from gradalign.diagnostics.alignment import conflict_fraction as conflict_fraction
from gradalign.diagnostics.alignment import conflict_free_threshold as conflict_free_threshold
from gradalign.diagnostics.alignment import effective_dimension as effective_dimension
from gradalign.diagnostics.alignment import inter_step_score as inter_step_score
from gradalign.diagnostics.alignment import interference_matrix as interference_matrix
from gradalign.diagnostics.alignment import intra_step_scores as intra_step_scores
from gradalign.diagnostics.alignment import misalignment as misalignment
from gradalign.diagnostics.alignment import null_deviation as null_deviation
from gradalign.diagnostics.alignment import null_value as null_value
from gradalign.diagnostics.alignment import pairwise_cosines as pairwise_cosines
from gradalign.diagnostics.alignment import per_layer_scores as per_layer_scores
from gradalign.diagnostics.alignment import score_certificate as score_certificate
from gradalign.diagnostics.angles import conflict_factor as conflict_factor
from gradalign.diagnostics.angles import gauss_newton_gram as gauss_newton_gram
from gradalign.diagnostics.angles import irreducible_conflict as irreducible_conflict
from gradalign.diagnostics.angles import principal_angles as principal_angles
from gradalign.diagnostics.kronecker import best_kronecker as best_kronecker
from gradalign.diagnostics.kronecker import off_diagonal_energy as off_diagonal_energy
from gradalign.diagnostics.kronecker import rank_one_fraction as rank_one_fraction

# Curvature
from gradalign.diagnostics.matrices import condition_number as condition_number
from gradalign.diagnostics.matrices import gauss_newton_matrix as gauss_newton_matrix
from gradalign.diagnostics.matrices import hessian_matrix as hessian_matrix
from gradalign.diagnostics.matrices import hessian_vector_product as hessian_vector_product
from gradalign.diagnostics.matrices import jacobian_blocks as jacobian_blocks
from gradalign.diagnostics.matrices import jacobian_matrix as jacobian_matrix
from gradalign.diagnostics.matrices import kernel_matrix as kernel_matrix

# Optimizers
from gradalign.optimizers.soap import scale_by_soap as scale_by_soap
from gradalign.optimizers.soap import soap as soap
from gradalign.optimizers.soap import whitening as whitening

__version__: str
