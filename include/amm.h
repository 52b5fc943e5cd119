/* SPDX-License-Identifier: BSD-3-Clause */
/* amm.h - the address map. */
#ifndef AMM_H
#define AMM_H
#endif
