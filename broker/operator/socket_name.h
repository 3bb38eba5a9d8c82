/* SPDX-License-Identifier: MPL-2.0 */
/* Where the broker and the tools of its user meet. */
#ifndef CONCLAVE_BROKER_OPERATOR_SOCKET_NAME_H
#define CONCLAVE_BROKER_OPERATOR_SOCKET_NAME_H

#define OPERATOR_SOCKET_NAME "operator.sock" /* in the data directory, mode 0600 */

#endif
