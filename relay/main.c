/* relay — see relay/cmd/cmd.c for what it can do. */
#include "relay/cmd/cmd.h"

int main(int argc, char **argv)
{
	return cmd_main(argc, argv);
}
