# Runs nothing of HBase: its balancer is a file, and so is what moves regions.
DATA=$SDTD_CONFIG/data
CONF=$SDTD_CONFIG/tools
ME=here
run() {
    case "$1 ${2:-}" in
        "Balancer ") cat "$DATA/balancer" ;;
        "Balancer on" | "Balancer off")
            cat "$DATA/balancer"
            echo "$2" >"$DATA/balancer.new" && mv "$DATA/balancer.new" "$DATA/balancer" ;;
        "Balancer takes") [ ! -e "$DATA/silent" ] ;;
        "Balancer "*)
            echo "$2 $3" >"$DATA/marked"
            echo "it $2" ;;
        *RegionMover*) sh "$DATA/mover" ;;
    esac
}
