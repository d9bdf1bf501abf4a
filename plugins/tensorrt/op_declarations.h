// Generated from segpp_deploy/ops by generate.py: do not edit.
#pragma once

#include "op_declaration.h"

namespace segpp::declarations {

inline constexpr char kDomain[] = "segpp";
inline constexpr char kPluginVersion[] = "1";

// clang-format off
inline constexpr std::string_view kTokenMatchTokensExtents[] = {"B", "N", "C"};
inline constexpr TensorDeclaration kTokenMatchInputs[] = {{"tokens", ElementType::kFloat, kTokenMatchTokensExtents, false}};
inline constexpr std::string_view kTokenMatchRowOfTokenExtents[] = {"B", "N"};
inline constexpr TensorDeclaration kTokenMatchOutputs[] = {{"row_of_token", ElementType::kInt32, kTokenMatchRowOfTokenExtents, false}};
inline constexpr const char* kTokenMatchAttributes[] = {"grid_h", "grid_w", "stride_y", "stride_x", "num_removed"};
inline constexpr OpDeclaration kTokenMatch = {"TokenMatch", kTokenMatchInputs, kTokenMatchOutputs, kTokenMatchAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenMatchMergeTokensExtents[] = {"B", "N", "C"};
inline constexpr TensorDeclaration kTokenMatchMergeInputs[] = {{"tokens", ElementType::kFloat, kTokenMatchMergeTokensExtents, false}};
inline constexpr std::string_view kTokenMatchMergeRowOfTokenExtents[] = {"B", "N"};
inline constexpr std::string_view kTokenMatchMergeMergedExtents[] = {"B", "num_rows", "C"};
inline constexpr std::string_view kTokenMatchMergeLogSizeExtents[] = {"B", "num_rows"};
inline constexpr TensorDeclaration kTokenMatchMergeOutputs[] = {{"row_of_token", ElementType::kInt32, kTokenMatchMergeRowOfTokenExtents, false}, {"merged", ElementType::kFloat, kTokenMatchMergeMergedExtents, false}, {"log_size", ElementType::kFloat32, kTokenMatchMergeLogSizeExtents, false}};
inline constexpr const char* kTokenMatchMergeAttributes[] = {"grid_h", "grid_w", "stride_y", "stride_x", "num_rows"};
inline constexpr OpDeclaration kTokenMatchMerge = {"TokenMatchMerge", kTokenMatchMergeInputs, kTokenMatchMergeOutputs, kTokenMatchMergeAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenMergeTokensExtents[] = {"B", "N", "C"};
inline constexpr std::string_view kTokenMergeRowOfTokenExtents[] = {"B", "N"};
inline constexpr TensorDeclaration kTokenMergeInputs[] = {{"tokens", ElementType::kFloat, kTokenMergeTokensExtents, false}, {"row_of_token", ElementType::kInt32, kTokenMergeRowOfTokenExtents, false}};
inline constexpr std::string_view kTokenMergeMergedExtents[] = {"B", "num_rows", "C"};
inline constexpr TensorDeclaration kTokenMergeOutputs[] = {{"merged", ElementType::kFloat, kTokenMergeMergedExtents, false}};
inline constexpr const char* kTokenMergeAttributes[] = {"num_rows"};
inline constexpr OpDeclaration kTokenMerge = {"TokenMerge", kTokenMergeInputs, kTokenMergeOutputs, kTokenMergeAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenMergeWithSizeTokensExtents[] = {"B", "N", "C"};
inline constexpr std::string_view kTokenMergeWithSizeRowOfTokenExtents[] = {"B", "N"};
inline constexpr TensorDeclaration kTokenMergeWithSizeInputs[] = {{"tokens", ElementType::kFloat, kTokenMergeWithSizeTokensExtents, false}, {"row_of_token", ElementType::kInt32, kTokenMergeWithSizeRowOfTokenExtents, false}};
inline constexpr std::string_view kTokenMergeWithSizeMergedExtents[] = {"B", "num_rows", "C"};
inline constexpr std::string_view kTokenMergeWithSizeLogSizeExtents[] = {"B", "num_rows"};
inline constexpr TensorDeclaration kTokenMergeWithSizeOutputs[] = {{"merged", ElementType::kFloat, kTokenMergeWithSizeMergedExtents, false}, {"log_size", ElementType::kFloat32, kTokenMergeWithSizeLogSizeExtents, false}};
inline constexpr const char* kTokenMergeWithSizeAttributes[] = {"num_rows"};
inline constexpr OpDeclaration kTokenMergeWithSize = {"TokenMergeWithSize", kTokenMergeWithSizeInputs, kTokenMergeWithSizeOutputs, kTokenMergeWithSizeAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenUnmergeRowsExtents[] = {"B", "M", "C"};
inline constexpr std::string_view kTokenUnmergeRowOfTokenExtents[] = {"B", "N"};
inline constexpr std::string_view kTokenUnmergeResidualExtents[] = {"B", "N", "C"};
inline constexpr TensorDeclaration kTokenUnmergeInputs[] = {{"rows", ElementType::kFloat, kTokenUnmergeRowsExtents, false}, {"row_of_token", ElementType::kInt32, kTokenUnmergeRowOfTokenExtents, false}, {"residual", ElementType::kFloat, kTokenUnmergeResidualExtents, true}};
inline constexpr std::string_view kTokenUnmergeRestoredExtents[] = {"B", "N", "C"};
inline constexpr TensorDeclaration kTokenUnmergeOutputs[] = {{"restored", ElementType::kFloat, kTokenUnmergeRestoredExtents, false}};
inline constexpr OpDeclaration kTokenUnmerge = {"TokenUnmerge", kTokenUnmergeInputs, kTokenUnmergeOutputs, {}};
// clang-format on

// clang-format off
inline constexpr std::string_view kUpsampleArgmaxLogitsExtents[] = {"B", "K", "h", "w"};
inline constexpr TensorDeclaration kUpsampleArgmaxInputs[] = {{"logits", ElementType::kFloat, kUpsampleArgmaxLogitsExtents, false}};
inline constexpr std::string_view kUpsampleArgmaxLabelsExtents[] = {"B", "height", "width"};
inline constexpr TensorDeclaration kUpsampleArgmaxOutputs[] = {{"labels", ElementType::kUint8, kUpsampleArgmaxLabelsExtents, false}};
inline constexpr const char* kUpsampleArgmaxAttributes[] = {"height", "width"};
inline constexpr OpDeclaration kUpsampleArgmax = {"UpsampleArgmax", kUpsampleArgmaxInputs, kUpsampleArgmaxOutputs, kUpsampleArgmaxAttributes};
// clang-format on

}  // namespace segpp::declarations
